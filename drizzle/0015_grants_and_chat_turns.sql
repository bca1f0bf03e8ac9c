CREATE TABLE "gateway"."maker_grants" (
	"session" text NOT NULL,
	"presentation_id" uuid NOT NULL,
	"run" integer NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "maker_grants_session_presentation_id_pk" PRIMARY KEY("session","presentation_id")
);
--> statement-breakpoint
CREATE TABLE "gateway"."chat_turns" (
	"presentation_id" uuid PRIMARY KEY NOT NULL,
	"token" uuid NOT NULL,
	"use_id" uuid NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
