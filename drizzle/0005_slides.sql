CREATE TABLE "gateway"."deck_changes" (
	"presentation_id" uuid PRIMARY KEY NOT NULL,
	"token" uuid NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"has_intent" boolean DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE TABLE "gateway"."edit_uses" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"used_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "gateway"."slide_edits" (
	"presentation_id" uuid PRIMARY KEY NOT NULL,
	"slide_index" integer NOT NULL,
	"instruction" text NOT NULL,
	"use_id" uuid NOT NULL,
	"phase" text DEFAULT 'waiting' NOT NULL,
	"cancelled_at" timestamp (3) with time zone,
	"error" json,
	"was_refused" boolean DEFAULT false NOT NULL,
	"conversation_id" uuid,
	"before" json
);
--> statement-breakpoint
ALTER TABLE "gateway"."decks" ADD COLUMN "finished_revision" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "gateway"."decks" ADD COLUMN "slide_digests" text[];--> statement-breakpoint
ALTER TABLE "gateway"."files" ADD COLUMN "revision" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "gateway"."presentations" ADD COLUMN "makes_file" boolean DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE "gateway"."presentations" ADD COLUMN "revision" integer;--> statement-breakpoint
ALTER TABLE "gateway"."presentations" ADD COLUMN "export_revision" integer;--> statement-breakpoint
ALTER TABLE "gateway"."deck_changes" ADD CONSTRAINT "deck_changes_presentation_id_presentations_id_fk" FOREIGN KEY ("presentation_id") REFERENCES "gateway"."presentations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "gateway"."slide_edits" ADD CONSTRAINT "slide_edits_presentation_id_presentations_id_fk" FOREIGN KEY ("presentation_id") REFERENCES "gateway"."presentations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "edit_uses_of_user" ON "gateway"."edit_uses" USING btree ("user_id","used_at");--> statement-breakpoint
CREATE INDEX "edit_uses_used" ON "gateway"."edit_uses" USING btree ("used_at");