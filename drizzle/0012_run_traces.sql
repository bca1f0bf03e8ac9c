ALTER TABLE "gateway"."presentations" ADD COLUMN "request_trace" text;--> statement-breakpoint
ALTER TABLE "gateway"."presentations" ADD COLUMN "run_trace" text;