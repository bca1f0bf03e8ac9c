// What a tool is: its description for agents, its schemas, and the function that handles a call.

import type { Static, TObject } from 'typebox'
import type { PresentationRow } from '../presentations/statements/queries.ts'

/** Hints for the agent's program: what it may call without asking its user. */
export interface Annotations {
  readOnlyHint: boolean
  destructiveHint: boolean
  idempotentHint: boolean
}

/** Who calls, and for how long they wait. */
export interface ToolCall {
  userId: string
  /** Aborts when the caller disconnects or cancels the call. */
  signal: AbortSignal
  /** Reports the run's progress, if the caller asked for it. */
  reportProgress: (row: PresentationRow) => void
}

export interface ToolResult<T = unknown> {
  structured: T
  /** For agents that read no structured content. Data and fixed sentences only. */
  text: string
}

export interface Tool {
  name: string
  title: string
  description: string
  annotations: Annotations
  input: TObject
  output: TObject
  /** `input` is valid against the schema. @throws Problem */
  call: (input: never, call: ToolCall) => Promise<ToolResult>
}

export const readOnly: Annotations = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
}
/** Makes or continues something, and changes nothing that exists. */
export const additive: Annotations = {
  readOnlyHint: false,
  destructiveHint: false,
  idempotentHint: false,
}
export const destructive: Annotations = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: false,
}

/** Checks that a tool's function fits its schemas. */
export function defineTool<I extends TObject, O extends TObject>(
  tool: Omit<Tool, 'input' | 'output' | 'answer'> & {
    input: I
    output: O
    call: (input: Static<I>, call: ToolCall) => Promise<ToolResult<Static<O>>>
  },
): Tool {
  return tool
}

/** A result whose text is its data, for tools that read lists and texts. */
export function dataResult<T>(structured: T): ToolResult<T> {
  return { structured, text: JSON.stringify(structured) }
}
