CREATE TABLE "gateway"."maker_sessions" (
	"hash" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"user_name" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "gateway"."tickets" ADD COLUMN "entry" json;--> statement-breakpoint
CREATE INDEX "maker_sessions_of" ON "gateway"."maker_sessions" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "maker_sessions_expired" ON "gateway"."maker_sessions" USING btree ("expires_at");