CREATE TABLE "gateway"."upstream_accounts" (
	"name" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"upstream_id" text,
	"session" text,
	"verified_at" timestamp (3) with time zone,
	"blocked_until" timestamp (3) with time zone,
	"refusals" integer DEFAULT 0 NOT NULL,
	"login_token" uuid,
	"login_until" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "gateway"."upstream_logins" (
	"id" integer PRIMARY KEY NOT NULL,
	"busy_until" timestamp (3) with time zone NOT NULL,
	"unlimited_until" timestamp (3) with time zone,
	"limited_until" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "gateway"."decks" ADD COLUMN "account" text;--> statement-breakpoint
ALTER TABLE "gateway"."presentations" ADD COLUMN "account" text;--> statement-breakpoint
CREATE INDEX "upstream_accounts_of_user" ON "gateway"."upstream_accounts" USING btree ("user_id");