-- Additive: the release before runs on unchanged. It claims a run that gave up its slot before `resume_after`, which only costs that run a wait.
ALTER TABLE "gateway"."presentations" ADD COLUMN "resume_after" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "gateway"."presentations" ADD COLUMN "limit_waits_ms" jsonb DEFAULT '{}'::jsonb NOT NULL;