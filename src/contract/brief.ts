// The wire schema of a brief: what a caller asks for. Texts that pass it are safe to store and to
// send upstream.

import Type, { type Static } from 'typebox'
import { exportFormats } from './presentation.ts'

export interface BriefLimits {
  maxSlides: number
  /** In Unicode code points. */
  maxContentChars: number
}

export const maxOutlineChars = 10_000
export const maxTitleChars = 200

const maxMetadataPairs = 16
export const defaultSlides = 8
/** A title slide and a table of contents leave nothing to list with fewer slides. */
export const minSlidesWithContents = 3

/**
 * Excludes control characters (Unicode Cc) but tab and line ends, and lone surrogates, which neither
 * Postgres nor UTF-8 can hold. One character class without alternation matches in linear time.
 */
const cleanText = '^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\ud800-\\udfff]*$'

/** A string of at most `maxLength` code points without control characters. */
export function textSchema(
  maxLength: number,
  options: { description?: string; minLength?: number; default?: string } = {},
) {
  return Type.String({ ...options, maxLength, pattern: cleanText })
}

/** A presentation's title. */
export function titleSchema(options: { description?: string; minLength?: number } = {}) {
  return textSchema(maxTitleChars, options)
}

/** A list of outlines, one for each slide. */
export function outlinesSchema(maxSlides: number, description: string) {
  return Type.Array(textSchema(maxOutlineChars, { minLength: 1 }), {
    minItems: 1,
    maxItems: maxSlides,
    description,
  })
}

function choice<const T extends readonly string[]>(
  values: T,
  fallback: T[number],
  description: string,
) {
  return Type.Optional(
    Type.Unsafe<T[number]>({ type: 'string', enum: values, default: fallback, description }),
  )
}

function flag(fallback: boolean, description: string) {
  return Type.Optional(Type.Boolean({ default: fallback, description }))
}

/** The body of `POST /presentations`. Unknown members are refused. */
export function createBriefSchema({ maxSlides, maxContentChars }: BriefLimits) {
  return Type.Object(
    {
      content: Type.Optional(
        textSchema(maxContentChars, {
          minLength: 1,
          description: 'The conversation summary. Required unless `outlines` is given.',
        }),
      ),
      outlines: Type.Optional(
        outlinesSchema(
          maxSlides,
          'Your own outlines, one for each slide, in Markdown. Then none are generated.',
        ),
      ),
      n_slides: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: maxSlides,
          description: `Default ${Math.min(defaultSlides, maxSlides)}, or the number of outlines.`,
        }),
      ),
      language: Type.Optional(textSchema(100, { minLength: 1, default: 'English' })),
      template: Type.Optional(
        textSchema(200, { minLength: 1, description: 'The id of a template of `GET /templates`.' }),
      ),
      tone: choice(
        ['default', 'casual', 'professional', 'funny', 'educational', 'sales_pitch'],
        'default',
        'The tone of the texts.',
      ),
      verbosity: choice(
        ['concise', 'standard', 'text-heavy'],
        'standard',
        'How much text a slide has.',
      ),
      instructions: Type.Optional(
        textSchema(4000, { description: 'Further instructions for the generator.' }),
      ),
      title: Type.Optional(
        titleSchema({ description: 'Default: the title that the generator finds.' }),
      ),
      include_title_slide: flag(true, 'Start with a title slide.'),
      include_table_of_contents: flag(false, `Needs at least ${minSlidesWithContents} slides.`),
      web_search: flag(false, 'Let the generator search the web.'),
      export_as: choice(exportFormats, 'pptx', 'The format of the finished file.'),
      review_outlines: flag(false, 'Wait until the outlines are approved before slides are made.'),
      metadata: Type.Optional(
        Type.Unsafe<Record<string, string>>({
          type: 'object',
          maxProperties: maxMetadataPairs,
          propertyNames: textSchema(64),
          additionalProperties: textSchema(500),
          description: 'Your own pairs of strings, returned with the presentation.',
        }),
      ),
    },
    { $id: 'Brief', title: 'Brief', additionalProperties: false },
  )
}

export type BriefBody = Static<ReturnType<typeof createBriefSchema>>
