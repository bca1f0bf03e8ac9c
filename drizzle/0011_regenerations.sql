ALTER TABLE "gateway"."presentations" ADD COLUMN "fresh_deck_id" text;--> statement-breakpoint
ALTER TABLE "gateway"."presentations" ADD COLUMN "slides_before" integer;--> statement-breakpoint
ALTER TABLE "gateway"."presentations" ADD COLUMN "reservation_id" uuid;