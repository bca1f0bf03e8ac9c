import type { ComponentChildren } from 'preact'

export interface FieldProps {
  /** Of the control in it, which is described by `<id>-trouble`. */
  id: string
  label: string
  /** What is wrong with its value. */
  trouble: string | undefined
  children: ComponentChildren
}

/** A control of a form with its label, and what is wrong with its value. */
export function Field({ id, label, trouble, children }: FieldProps) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children}
      <p id={`${id}-trouble`} class="trouble" role="alert">
        {trouble}
      </p>
    </div>
  )
}
