CREATE TABLE "gateway"."document_reads" (
	"user_id" text PRIMARY KEY NOT NULL,
	"token" uuid NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "gateway"."document_texts" (
	"source_id" uuid PRIMARY KEY NOT NULL,
	"content" text NOT NULL,
	"read_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "gateway"."maker_uses" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"kind" text NOT NULL,
	"used_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "document_texts_read" ON "gateway"."document_texts" USING btree ("read_at");--> statement-breakpoint
CREATE INDEX "maker_uses_of" ON "gateway"."maker_uses" USING btree ("user_id","kind","used_at");--> statement-breakpoint
CREATE INDEX "maker_uses_used" ON "gateway"."maker_uses" USING btree ("used_at");