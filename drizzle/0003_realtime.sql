-- Additive: the release before runs on unchanged. Its runs are timed by nobody and write no notifications.
CREATE TABLE "gateway"."run_durations" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"finished_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"slides" integer NOT NULL,
	"stage_ms" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "gateway"."notification_channels" (
	"channel" text PRIMARY KEY NOT NULL,
	"last_seq" bigint DEFAULT 0 NOT NULL,
	"pruned_seq" bigint DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "gateway"."notification_marks" (
	"user_id" text NOT NULL,
	"notification_id" uuid NOT NULL,
	"is_hidden" boolean DEFAULT false NOT NULL,
	CONSTRAINT "notification_marks_user_id_notification_id_pk" PRIMARY KEY("user_id","notification_id")
);
--> statement-breakpoint
CREATE TABLE "gateway"."notifications" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"channel" text NOT NULL,
	"seq" bigint NOT NULL,
	"notification_type" text NOT NULL,
	"title" text NOT NULL,
	"message" text NOT NULL,
	"data" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"priority" text DEFAULT 'normal' NOT NULL,
	"category" text NOT NULL,
	"action_url" text,
	"action_text" text,
	"read" boolean DEFAULT false NOT NULL,
	"presentation_id" uuid,
	"created_at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "notifications_of_channel" UNIQUE("channel","seq")
);
--> statement-breakpoint
ALTER TABLE "gateway"."presentations" ADD COLUMN "review_warned" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "gateway"."presentations" ADD COLUMN "stage_clock" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "gateway"."notification_marks" ADD CONSTRAINT "notification_marks_notification_id_notifications_id_fk" FOREIGN KEY ("notification_id") REFERENCES "gateway"."notifications"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "run_durations_finished" ON "gateway"."run_durations" USING btree ("finished_at");--> statement-breakpoint
CREATE INDEX "notification_marks_of" ON "gateway"."notification_marks" USING btree ("notification_id");--> statement-breakpoint
CREATE INDEX "notifications_listed" ON "gateway"."notifications" USING btree ("channel","created_at","id");--> statement-breakpoint
CREATE INDEX "notifications_unread" ON "gateway"."notifications" USING btree ("channel","seq") WHERE not "gateway"."notifications"."read";--> statement-breakpoint
CREATE INDEX "notifications_of_presentation" ON "gateway"."notifications" USING btree ("presentation_id") WHERE "gateway"."notifications"."presentation_id" is not null;--> statement-breakpoint
CREATE INDEX "notifications_created" ON "gateway"."notifications" USING btree ("created_at");