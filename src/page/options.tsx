// The options of a brief.

import { type Signal, signal, useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import type { Template } from '../client/client.ts'
import { Field } from './field.tsx'
import { gateway } from './session.ts'
import { maxSlides } from './settings.ts'
import { sayError } from './toasts.tsx'

export interface Options {
  n_slides: string
  language: string
  tone: string
  verbosity: string
  template: string
  export_as: string
  title: string
  instructions: string
  review_outlines: boolean
}

export const defaultOptions: Options = {
  n_slides: String(Math.min(8, maxSlides)),
  language: 'English',
  tone: 'default',
  verbosity: 'standard',
  template: '',
  export_as: 'pptx',
  title: '',
  instructions: '',
  review_outlines: false,
}

/** What differs from the defaults stays out, so that the gateway's own hold. */
export function toBrief({ n_slides: slides, ...options }: Options): Record<string, unknown> {
  const brief: Record<string, unknown> = { n_slides: Number(slides) }
  for (const [name, value] of Object.entries(options)) {
    if (value !== '' && value !== defaultOptions[name as keyof Options]) brief[name] = value
  }
  if (options.language === '') delete brief['language']
  return brief
}

const tones = {
  default: 'As it fits',
  casual: 'Casual',
  professional: 'Professional',
  funny: 'Funny',
  educational: 'Educational',
  sales_pitch: 'Sales pitch',
}
const verbosities = { concise: 'Few words', standard: 'Balanced', 'text-heavy': 'Much text' }
const formats = { pptx: 'PowerPoint (PPTX)', pdf: 'PDF' }
const languages =
  'English,German,French,Spanish,Italian,Portuguese,Dutch,Polish,Turkish,Arabic,Hindi,Chinese,Japanese,Korean'

const templates = signal<Template[] | undefined>(undefined)

async function loadTemplates() {
  if (templates.value) return
  try {
    const found: Template[] = []
    for await (const template of gateway.templates.list()) found.push(template)
    templates.value = found
  } catch (error) {
    sayError(error)
  }
}

interface OptionFieldsProps {
  options: Signal<Options>
  /** By the name of the option. */
  troubles: Record<string, string>
}

export function OptionFields({ options, troubles }: OptionFieldsProps) {
  const now = options.value
  const isOpen = useSignal(false)
  const set = (name: keyof Options) => (event: { currentTarget: { value: string } }) => {
    options.value = { ...options.value, [name]: event.currentTarget.value }
  }
  const of = (name: keyof Options) => ({
    id: `option-${name}`,
    value: String(now[name]),
    'aria-invalid': troubles[name] !== undefined,
    'aria-describedby': `option-${name}-trouble`,
    onInput: set(name),
  })
  const isReviewed = now.review_outlines ? ', with review' : ''
  return (
    <details
      class="options"
      onToggle={(event) => {
        isOpen.value = event.currentTarget.open
        if (isOpen.value) void loadTemplates()
      }}
    >
      <summary>
        Options
        <span class="help">
          {now.language || 'English'}, {now.export_as.toUpperCase()}
          {isReviewed}
        </span>
      </summary>
      <div class="fields">
        <Option name="n_slides" label="Slides" troubles={troubles}>
          <input type="number" inputMode="numeric" min={1} max={maxSlides} {...of('n_slides')} />
        </Option>
        <Option name="language" label="Language" troubles={troubles}>
          <input list="languages" dir="auto" {...of('language')} />
          <datalist id="languages">
            {languages.split(',').map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </Option>
        <Option name="tone" label="Tone" troubles={troubles}>
          <Choice choices={tones} {...of('tone')} />
        </Option>
        <Option name="verbosity" label="Text on a slide" troubles={troubles}>
          <Choice choices={verbosities} {...of('verbosity')} />
        </Option>
        <Option name="export_as" label="File" troubles={troubles}>
          <Choice choices={formats} {...of('export_as')} />
        </Option>
        <Option name="template" label="Template" troubles={troubles}>
          <TemplateChoice {...of('template')} />
        </Option>
        <Option name="title" label="Title" troubles={troubles}>
          <input dir="auto" placeholder="Found by itself" maxLength={200} {...of('title')} />
        </Option>
        <Option name="instructions" label="Further wishes" troubles={troubles}>
          <input dir="auto" placeholder="The audience, the occasion …" {...of('instructions')} />
        </Option>
        <label class="check">
          <input
            type="checkbox"
            checked={now.review_outlines}
            onChange={(event) => {
              options.value = { ...options.value, review_outlines: event.currentTarget.checked }
            }}
          />
          <span>
            Let me review the outlines first
            <span class="help">You edit and approve them before slides are made.</span>
          </span>
        </label>
      </div>
    </details>
  )
}

interface OptionProps extends Pick<OptionFieldsProps, 'troubles'> {
  name: string
  label: string
  children: ComponentChildren
}

function Option({ name, troubles, ...field }: OptionProps) {
  return <Field id={`option-${name}`} trouble={troubles[name]} {...field} />
}

type SelectProps = Record<string, unknown>

function Choice({ choices, ...select }: SelectProps & { choices: Record<string, string> }) {
  return (
    <select {...select}>
      {Object.entries(choices).map(([value, label]) => (
        <option key={value} value={value}>
          {label}
        </option>
      ))}
    </select>
  )
}

function TemplateChoice(select: SelectProps & { value: string }) {
  const known = templates.value ?? []
  const chosen = known.find(({ id }) => id === select.value)
  return (
    <>
      <select {...select}>
        <option value="">The usual one</option>
        {known.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
      {chosen?.description && (
        <p class="help" dir="auto">
          {chosen.description}
        </p>
      )}
    </>
  )
}
