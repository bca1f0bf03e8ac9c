ALTER TABLE "gateway"."deck_changes" DROP CONSTRAINT "deck_changes_presentation_id_presentations_id_fk";
--> statement-breakpoint
ALTER TABLE "gateway"."slide_edits" DROP CONSTRAINT "slide_edits_presentation_id_presentations_id_fk";
