-- Additive: the release before runs on unchanged, and its presentations are of origin api without a digest.
ALTER TABLE "gateway"."presentations" ADD COLUMN "origin" text DEFAULT 'api' NOT NULL;--> statement-breakpoint
ALTER TABLE "gateway"."presentations" ADD COLUMN "brief_digest" text;