// The wire schema of a brief: what a caller asks for. Texts that pass it are safe to store and to
// send upstream.

import Type, { type Static } from 'typebox'
import { exportFormats } from './presentation.ts'
import { cleanText, unicodeFormat, uuidPattern, visibleText } from './text.ts'

export interface BriefLimits {
  maxSlides: number
  /** In Unicode code points. */
  maxContentChars: number
}

const briefExamples = [
  {
    content: 'We agreed to repair the bridge in May. The ferry runs until then, and the port pays.',
    n_slides: 5,
    title: 'The bridge',
    metadata: { conversation: '4711' },
  },
  {
    outlines: ['# Why now\n- Demand doubled', '# What we need\n- Two more people'],
    export_as: 'pdf',
    review_outlines: true,
  },
]

export const maxOutlineChars = 10_000
export const maxTitleChars = 200

const maxMetadataPairs = 16
export const maxSourcesPerBrief = 10
export const defaultSlides = 8
/** A title slide and a table of contents leave nothing to list with fewer slides. */
export const minSlidesWithContents = 3

/**
 * A string of at most `maxLength` code points without control characters. With a `minLength` it
 * must have a visible character, too.
 */
export function textSchema(
  maxLength: number,
  options: { description?: string; minLength?: number; default?: string } = {},
) {
  const pattern = options.minLength === undefined ? cleanText : visibleText
  return Type.String({ ...options, maxLength, pattern, format: unicodeFormat })
}

/** A presentation's title. */
export function titleSchema(options: { description?: string; minLength?: number } = {}) {
  return textSchema(maxTitleChars, options)
}

/** The id of a template. */
export function templateSchema(description: string) {
  return textSchema(200, { minLength: 1, description })
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
          description:
            'The conversation summary. Required unless `outlines` or `sources` is given.',
        }),
      ),
      outlines: Type.Optional(
        outlinesSchema(
          maxSlides,
          'Your own outlines, one for each slide, in Markdown. Then none are generated.',
        ),
      ),
      sources: Type.Optional(
        Type.Array(Type.String({ format: 'uuid', pattern: uuidPattern }), {
          maxItems: maxSourcesPerBrief,
          description:
            'Ids of your own sources, each once. They are read together with `content`; not together with `outlines`.',
        }),
      ),
      n_slides: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: maxSlides,
          description: `Default ${Math.min(defaultSlides, maxSlides)}, or the number of outlines.`,
        }),
      ),
      language: Type.Optional(textSchema(100, { minLength: 1, default: 'English' })),
      template: Type.Optional(templateSchema('The id of a template of `GET /templates`.')),
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
    { $id: 'Brief', title: 'Brief', additionalProperties: false, examples: briefExamples },
  )
}

export type BriefBody = Static<ReturnType<typeof createBriefSchema>>
