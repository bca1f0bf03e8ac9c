ALTER TABLE "gateway"."presentation_sources" DROP CONSTRAINT "presentation_sources_presentation_id_presentations_id_fk";
