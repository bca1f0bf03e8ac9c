/**
 * The bundled templates, with the names and counts of upstream's lists. All have the same layouts,
 * in the form that `prepare` of A and T accepts.
 */

export type Template = { id: string; name: string; description: string; layoutCount: number }

/** Newest first, like the list of 0.9.3. */
export const templates: readonly Template[] = [
  template(
    'swift',
    9,
    'Bright, energetic layouts with crisp structure and visual momentum for concise, fast-paced presentations.',
  ),
  template(
    'standard',
    11,
    'Balanced, adaptable layouts that keep business and everyday content clear, organized, and easy to follow.',
  ),
  template(
    'momentum',
    28,
    'A polished, high-energy business template for strategy, performance, product, and leadership presentations, combining bold ' +
      'typography, fluid accents, strong data storytelling, and versatile editorial layouts.',
  ),
  template(
    'modern',
    10,
    'Clean, contemporary layouts with generous whitespace, confident typography, and bold visual accents for a polished presentation.',
  ),
  template(
    'general',
    12,
    'General template best for simple presentations, great spacing and clean layout.',
  ),
  template(
    'executive',
    32,
    'Leadership-ready layouts with bold typography, crisp structure, and subtle violet accents for strategic, decision-focused presentations.',
  ),
  template(
    'dynamic',
    32,
    'Bold, high-contrast layouts with dark textured backgrounds and warm accents for impactful, story-driven presentations.',
  ),
]

/** The groups of A and T. A can't list them: `/api/templates` is broken in 0.7.3. */
export const oldGroups: readonly string[] = [
  'general',
  'modern',
  'standard',
  'swift',
  'neo-general',
  'neo-modern',
  'neo-standard',
  'neo-swift',
]

export function templateOf(id: string): Template | undefined {
  return templates.find((template) => template.id === id)
}

type Schema = Record<string, unknown>

/** `GET /api/template?group=` of A; the ids start with the name of the group. */
export function templateLayout({ id }: { id: string }) {
  return { name: id, ordered: false, slides: layouts(id) }
}

function layouts(group: string) {
  const layout = (name: string, title: string, description: string, properties: Schema) => ({
    id: `${group}:${name}`,
    name: title,
    description,
    json_schema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      ...object({
        title: text('Main title of the slide', 'Product Overview', 3, 40),
        ...properties,
      }),
    },
  })
  const description = text(
    'Main description text content',
    'Our product offers customizable dashboards.',
    10,
    150,
  )
  const bullets = (extra: Schema) =>
    list(
      'List of bullet points',
      1,
      6,
      object({ title: text('Bullet point title', 'Growth', 2, 60), ...extra }),
    )
  const subtitle = text('Bullet point subtitle', 'Steady growth in all regions', 5, 90)
  return [
    layout(
      'general-intro-slide',
      'Intro Slide',
      'A clean slide layout with title, description text, presenter info, and a supporting image.',
      {
        description,
        presenterName: text('Name of the presenter', 'John Doe', 2, 50),
        presentationDate: text(
          "Date of the presentation must be the latest date like today's date",
          'December 2025',
          2,
          50,
        ),
        image,
      },
    ),
    layout(
      'basic-info-slide',
      'Basic Info',
      'A clean slide layout with title, description text, and a supporting image.',
      {
        description,
        image,
      },
    ),
    layout(
      'bullet-icons-only-slide',
      'Bullet Icons Only',
      'A slide layout with title, grid of bullet points (title and description) with icons, and a supporting image.',
      { image, bulletPoints: bullets({ subtitle, icon }) },
    ),
    layout(
      'table-of-contents-slide',
      'Table of Contents',
      'A table of contents with numbered sections.',
      {
        sections: list(
          'Sections',
          1,
          20,
          object({ title: text('Section title', 'Introduction', 2, 60) }),
        ),
      },
    ),
    layout(
      'bullet-with-icons-slide',
      'Bullet with Icons',
      'A bullets style slide with main content, supporting image, and bullet points.',
      {
        description,
        image,
        bulletPoints: bullets({ description: subtitle, icon }),
      },
    ),
    layout('quote-slide', 'Quote', 'A slide with a heading and a quote over a background image.', {
      quote: text('The quote', 'The best way to predict the future is to make it.', 10, 200),
      author: text('Its author', 'Anonymous', 2, 50),
      backgroundImage: image,
    }),
  ]
}

const image: Schema = {
  description: 'Supporting image for the slide',
  ...object({
    __image_url__: { description: 'URL to image', type: 'string', format: 'uri' },
    __image_prompt__: { type: 'string', minLength: 10, maxLength: 50 },
  }),
}

const icon: Schema = object({
  __icon_url__: { description: 'URL to icon', type: 'string' },
  __icon_query__: { type: 'string', minLength: 5, maxLength: 20 },
})

function text(description: string, example: string, minLength: number, maxLength: number): Schema {
  return { description, default: example, type: 'string', minLength, maxLength }
}

function list(description: string, minItems: number, maxItems: number, items: Schema): Schema {
  return { description, type: 'array', minItems, maxItems, items }
}

function object(properties: Schema): Schema {
  return {
    type: 'object',
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
  }
}

function template(id: string, layoutCount: number, description: string): Template {
  return { id, name: `${id.charAt(0).toUpperCase()}${id.slice(1)}`, description, layoutCount }
}
