-- The schema itself is made by the migrator, and only where it is missing: a role that may use it need not be allowed to make one.
CREATE TABLE "gateway"."assets" (
	"user_id" text NOT NULL,
	"path" text NOT NULL,
	"presentation_id" uuid NOT NULL,
	CONSTRAINT "assets_user_id_path_presentation_id_pk" PRIMARY KEY("user_id","path","presentation_id")
);
--> statement-breakpoint
CREATE TABLE "gateway"."decks" (
	"deck_id" text PRIMARY KEY NOT NULL,
	"presentation_id" uuid NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"finished" json,
	"remove_after" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "gateway"."events" (
	"presentation_id" uuid NOT NULL,
	"seq" bigint NOT NULL,
	"run" integer NOT NULL,
	"terminal" boolean DEFAULT false NOT NULL,
	"data" text NOT NULL,
	CONSTRAINT "events_presentation_id_seq_pk" PRIMARY KEY("presentation_id","seq")
);
--> statement-breakpoint
CREATE TABLE "gateway"."files" (
	"presentation_id" uuid NOT NULL,
	"format" text NOT NULL,
	"object_key" text NOT NULL,
	"size_bytes" bigint NOT NULL,
	"sha256" text NOT NULL,
	"content_type" text NOT NULL,
	"stored_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "files_presentation_id_format_pk" PRIMARY KEY("presentation_id","format")
);
--> statement-breakpoint
CREATE TABLE "gateway"."idempotency_keys" (
	"user_id" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" text NOT NULL,
	"answer" json,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_user_id_key_pk" PRIMARY KEY("user_id","key")
);
--> statement-breakpoint
CREATE TABLE "gateway"."leases" (
	"presentation_id" uuid PRIMARY KEY NOT NULL,
	"token" uuid,
	"expires_at" timestamp (3) with time zone,
	"last_seq" bigint DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "gateway"."ledger" (
	"presentation_id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"accepted_at" timestamp (3) with time zone NOT NULL,
	"slides" integer NOT NULL,
	"accepted" boolean DEFAULT true NOT NULL,
	"kept" boolean DEFAULT true NOT NULL,
	"paid" boolean DEFAULT false NOT NULL,
	"slid" boolean DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE TABLE "gateway"."presentations" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"presenton_presentation_id" text,
	"presenton_path" text,
	"minio_object_key" text,
	"title" text,
	"status" text NOT NULL,
	"stage" text,
	"run" integer DEFAULT 1 NOT NULL,
	"run_kind" text DEFAULT 'deck' NOT NULL,
	"run_format" text NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"progress" double precision DEFAULT 0 NOT NULL,
	"template" text NOT NULL,
	"language" text NOT NULL,
	"n_slides" integer NOT NULL,
	"slides_done" integer DEFAULT 0 NOT NULL,
	"export_as" text NOT NULL,
	"review_outlines" boolean DEFAULT false NOT NULL,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"brief" json NOT NULL,
	"outlines" json,
	"outlines_approved" boolean DEFAULT false NOT NULL,
	"error" json,
	"turn" bigint NOT NULL,
	"queued_at" timestamp (3) with time zone NOT NULL,
	"run_started_at" timestamp (3) with time zone,
	"run_used_ms" bigint DEFAULT 0 NOT NULL,
	"starts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"failures" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"slide_streams" integer DEFAULT 0 NOT NULL,
	"takeovers" integer DEFAULT 0 NOT NULL,
	"deck_streamed" boolean DEFAULT false NOT NULL,
	"deck_prepared" boolean DEFAULT false NOT NULL,
	"slides_finished" boolean DEFAULT false NOT NULL,
	"review_expires_at" timestamp (3) with time zone,
	"uploads" integer DEFAULT 0 NOT NULL,
	"export_times" timestamp (3) with time zone[] DEFAULT '{}' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp (3) with time zone,
	"completed_at" timestamp (3) with time zone,
	"ended_at" timestamp (3) with time zone,
	CONSTRAINT "presentations_status" CHECK ("gateway"."presentations"."status" in ('queued', 'running', 'awaiting_outlines', 'completed', 'failed', 'cancelled'))
);
--> statement-breakpoint
CREATE TABLE "gateway"."queue_clock" (
	"id" integer PRIMARY KEY NOT NULL,
	"turn" bigint DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "gateway"."tickets" (
	"hash" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"presentation_id" uuid NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"token_expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "gateway"."uploads" (
	"object_key" text PRIMARY KEY NOT NULL,
	"presentation_id" uuid NOT NULL,
	"lease_token" uuid NOT NULL,
	"recorded_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"remove_after" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "gateway"."files" ADD CONSTRAINT "files_presentation_id_presentations_id_fk" FOREIGN KEY ("presentation_id") REFERENCES "gateway"."presentations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "gateway"."leases" SET (fillfactor = 50);--> statement-breakpoint
INSERT INTO "gateway"."queue_clock" ("id", "turn") VALUES (1, 0);--> statement-breakpoint
ALTER TABLE "gateway"."leases" ADD CONSTRAINT "leases_presentation_id_presentations_id_fk" FOREIGN KEY ("presentation_id") REFERENCES "gateway"."presentations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "assets_of_presentation" ON "gateway"."assets" USING btree ("presentation_id");--> statement-breakpoint
CREATE INDEX "decks_of_presentation" ON "gateway"."decks" USING btree ("presentation_id");--> statement-breakpoint
CREATE INDEX "decks_to_remove" ON "gateway"."decks" USING btree ("remove_after");--> statement-breakpoint
CREATE INDEX "files_object_key" ON "gateway"."files" USING btree ("object_key");--> statement-breakpoint
CREATE INDEX "idempotency_keys_created" ON "gateway"."idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "ledger_accepted" ON "gateway"."ledger" USING btree ("user_id","accepted_at") WHERE "gateway"."ledger"."accepted";--> statement-breakpoint
CREATE INDEX "ledger_kept" ON "gateway"."ledger" USING btree ("user_id") WHERE "gateway"."ledger"."kept";--> statement-breakpoint
CREATE INDEX "ledger_accepted_by_all" ON "gateway"."ledger" USING btree ("accepted_at");--> statement-breakpoint
CREATE INDEX "ledger_let_go" ON "gateway"."ledger" USING btree ("accepted_at") WHERE not "gateway"."ledger"."kept";--> statement-breakpoint
CREATE INDEX "presentations_of_user" ON "gateway"."presentations" USING btree ("user_id","created_at","id");--> statement-breakpoint
CREATE INDEX "presentations_of_user_by_status" ON "gateway"."presentations" USING btree ("user_id","status","created_at","id");--> statement-breakpoint
CREATE INDEX "presentations_waiting" ON "gateway"."presentations" USING btree ("turn","queued_at","id") WHERE "gateway"."presentations"."status" in ('queued', 'running') and "gateway"."presentations"."run_started_at" is null;--> statement-breakpoint
CREATE INDEX "presentations_running" ON "gateway"."presentations" USING btree ("user_id") WHERE "gateway"."presentations"."status" = 'running';--> statement-breakpoint
CREATE INDEX "presentations_turns" ON "gateway"."presentations" USING btree ("user_id","turn") WHERE "gateway"."presentations"."status" in ('queued', 'running');--> statement-breakpoint
CREATE INDEX "presentations_in_review" ON "gateway"."presentations" USING btree ("review_expires_at") WHERE "gateway"."presentations"."status" = 'awaiting_outlines';--> statement-breakpoint
CREATE INDEX "presentations_ended" ON "gateway"."presentations" USING btree ("ended_at") WHERE "gateway"."presentations"."ended_at" is not null;--> statement-breakpoint
CREATE INDEX "presentations_at_rest" ON "gateway"."presentations" USING btree ("status") WHERE "gateway"."presentations"."status" in ('completed', 'failed', 'cancelled');--> statement-breakpoint
CREATE INDEX "tickets_expired" ON "gateway"."tickets" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "uploads_to_remove" ON "gateway"."uploads" USING btree ("remove_after") WHERE "gateway"."uploads"."remove_after" is not null;--> statement-breakpoint
CREATE INDEX "uploads_of_presentation" ON "gateway"."uploads" USING btree ("presentation_id");