CREATE TABLE "gateway"."webhook_deliveries" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"webhook_id" uuid NOT NULL,
	"event" text NOT NULL,
	"body" text NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"last_status" integer,
	"last_error" text,
	"next_attempt_at" timestamp (3) with time zone DEFAULT now(),
	"again" boolean DEFAULT false NOT NULL,
	"host" text NOT NULL,
	"is_slow" boolean NOT NULL,
	"lease_token" uuid,
	"lease_expires_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"ended_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "gateway"."webhooks" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"url" text NOT NULL,
	"host" text NOT NULL,
	"events" text[] NOT NULL,
	"description" text,
	"enabled" boolean DEFAULT true NOT NULL,
	"disabled_reason" text,
	"secrets" jsonb NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"failing_since" timestamp (3) with time zone,
	"is_slow" boolean DEFAULT false NOT NULL,
	"response_ms" integer,
	"created_at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "gateway"."webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_webhook_id_webhooks_id_fk" FOREIGN KEY ("webhook_id") REFERENCES "gateway"."webhooks"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "webhook_deliveries_listed" ON "gateway"."webhook_deliveries" USING btree ("webhook_id","created_at","id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_by_status" ON "gateway"."webhook_deliveries" USING btree ("webhook_id","status","created_at","id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_waiting" ON "gateway"."webhook_deliveries" USING btree ("is_slow","host","next_attempt_at") WHERE "gateway"."webhook_deliveries"."status" = 'pending' and "gateway"."webhook_deliveries"."lease_token" is null;--> statement-breakpoint
CREATE INDEX "webhook_deliveries_due" ON "gateway"."webhook_deliveries" USING btree ("next_attempt_at") WHERE "gateway"."webhook_deliveries"."status" = 'pending' and "gateway"."webhook_deliveries"."lease_token" is null;--> statement-breakpoint
CREATE INDEX "webhook_deliveries_leased" ON "gateway"."webhook_deliveries" USING btree ("lease_expires_at") WHERE "gateway"."webhook_deliveries"."lease_token" is not null;--> statement-breakpoint
CREATE INDEX "webhook_deliveries_ended" ON "gateway"."webhook_deliveries" USING btree ("ended_at") WHERE "gateway"."webhook_deliveries"."ended_at" is not null;--> statement-breakpoint
CREATE INDEX "webhooks_of_user" ON "gateway"."webhooks" USING btree ("user_id","created_at");--> statement-breakpoint
CREATE INDEX "webhooks_failing" ON "gateway"."webhooks" USING btree ("failing_since") WHERE "gateway"."webhooks"."enabled" and "gateway"."webhooks"."failing_since" is not null;