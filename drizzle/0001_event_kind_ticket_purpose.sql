-- Additive: the release before runs on unchanged. It writes no `kind`, and the default gives its tickets their purpose.
ALTER TABLE "gateway"."tickets" ALTER COLUMN "presentation_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "gateway"."uploads" ALTER COLUMN "lease_token" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "gateway"."events" ADD COLUMN "kind" text;--> statement-breakpoint
ALTER TABLE "gateway"."tickets" ADD COLUMN "purpose" text DEFAULT 'events' NOT NULL;
