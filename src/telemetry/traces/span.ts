// Spans as the rest of the gateway sees them, and which one is active. Without a tracer no span is
// ever active, and every function here only calls its work.

import { AsyncLocalStorage } from 'node:async_hooks'

export type SpanKind = 'server' | 'client' | 'internal' | 'consumer'
/**
 * Names of attributes and their values. Never content, titles, tokens, links, addresses or names of
 * users: the operators of the collector may read them.
 */
export type Attributes = Record<string, string | number | boolean>

export interface SpanOptions {
  kind?: SpanKind
  attributes?: Attributes
}

export interface Span {
  /** For log lines. */
  readonly ids: { readonly trace_id: string; readonly span_id: string }
  /** As a header for other services (W3C Trace Context). */
  readonly traceparent: string
  child(name: string, options?: SpanOptions): Span
  rename(name: string): void
  set(attributes: Attributes): void
  event(name: string, attributes?: Attributes): void
  /** `type` has few values: a problem code, or the name of an error. */
  fail(type: string): void
  end(): void
}

const active = new AsyncLocalStorage<Span>()

export const activeSpan = (): Span | undefined => active.getStore()

export const activeTraceparent = (): string | undefined => active.getStore()?.traceparent

/** Calls `work` with `span` as the active one. The span is not ended. */
export const withSpan = <T>(span: Span, work: () => T): T => active.run(span, work)

/** Performs `work` in a child of the active span, which ends with it. */
export function inSpan<T>(
  name: string,
  options: SpanOptions,
  work: (span: Span | undefined) => Promise<T>,
): Promise<T> {
  const parent = active.getStore()
  return parent ? inOwnSpan(parent.child(name, options), work) : work(undefined)
}

/** Performs `work` in `span`, which ends with it. */
export function inOwnSpan<T>(span: Span, work: (span: Span) => Promise<T>): Promise<T> {
  return active.run(span, async () => {
    try {
      return await work(span)
    } catch (error) {
      span.fail(errorTypeOf(error))
      throw error
    } finally {
      span.end()
    }
  })
}

/** The code or the name of an error. Its message is not for traces. */
export function errorTypeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'aborted'
  const { code } = error as { code?: unknown }
  const type = typeof code === 'string' ? code : error.name
  return /^\w{1,60}$/.test(type) ? type : 'Error'
}
