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
/**
 * A table of contents is a slide of its own; with a title slide, fewer than three leave nothing to
 * list.
 */
export const minSlidesWithContents = 3

/**
 * Every character but the controls (Unicode Cc, tab and line ends excepted) and lone surrogates,
 * which neither Postgres nor a UTF-8 body can hold. One class and no alternation, so that matching
 * is linear and needs no stack.
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

/** A list of outlines, one a slide. */
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

/** The body of `POST /presentations`. Fields it does not name are refused. */
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
          'Your own outlines, one a slide, in Markdown: none are then generated.',
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
        'How the slides speak.',
      ),
      verbosity: choice(
        ['concise', 'standard', 'text-heavy'],
        'standard',
        'How much text stands on a slide.',
      ),
      instructions: Type.Optional(
        textSchema(4000, { description: 'What the generator should mind besides.' }),
      ),
      title: Type.Optional(titleSchema({ description: 'Without one, the generator finds it.' })),
      include_title_slide: flag(true, 'Begin with a title slide.'),
      include_table_of_contents: flag(false, `Needs at least ${minSlidesWithContents} slides.`),
      web_search: flag(false, 'Let the generator search the web.'),
      export_as: choice(exportFormats, 'pptx', 'The format of the finished file.'),
      review_outlines: flag(false, 'Wait for the outlines to be approved before slides are made.'),
      metadata: Type.Optional(
        Type.Unsafe<Record<string, string>>({
          type: 'object',
          maxProperties: maxMetadataPairs,
          propertyNames: textSchema(64),
          additionalProperties: textSchema(500),
          description: 'Your own pairs of strings, given back with the presentation.',
        }),
      ),
    },
    { $id: 'Brief', title: 'Brief', additionalProperties: false },
  )
}

export type BriefBody = Static<ReturnType<typeof createBriefSchema>>
