CREATE TABLE "gateway"."presentation_sources" (
	"presentation_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"source_id" uuid NOT NULL,
	"name" text NOT NULL,
	CONSTRAINT "presentation_sources_presentation_id_position_pk" PRIMARY KEY("presentation_id","position")
);
--> statement-breakpoint
CREATE TABLE "gateway"."sources" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"name" text NOT NULL,
	"content_type" text NOT NULL,
	"size_bytes" bigint NOT NULL,
	"sha256" text NOT NULL,
	"object_key" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "gateway"."uploads" ALTER COLUMN "presentation_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "gateway"."presentation_sources" ADD CONSTRAINT "presentation_sources_presentation_id_presentations_id_fk" FOREIGN KEY ("presentation_id") REFERENCES "gateway"."presentations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "presentation_sources_of" ON "gateway"."presentation_sources" USING btree ("source_id");--> statement-breakpoint
CREATE INDEX "sources_of_user" ON "gateway"."sources" USING btree ("user_id","created_at","id") WHERE "gateway"."sources"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "sources_deleted" ON "gateway"."sources" USING btree ("deleted_at") WHERE "gateway"."sources"."deleted_at" is not null;--> statement-breakpoint
CREATE INDEX "sources_created" ON "gateway"."sources" USING btree ("created_at") WHERE "gateway"."sources"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "sources_object_key" ON "gateway"."sources" USING btree ("object_key");