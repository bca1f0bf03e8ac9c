// Documents on their way to become sources: each file its own upload, with its own progress.

import { signal } from '@preact/signals'
import { messageOf } from './problems.ts'
import { gateway } from './session.ts'

export interface Upload {
  key: number
  file: File
  /** From 0 to 1. */
  sent: number
  sourceId: string | undefined
  trouble: string
}

/** The gateway takes four at once from one user. */
const atOnce = 3
export const maxSources = 10

export function createUploads() {
  const uploads = signal<Upload[]>([])
  const running = new Map<number, AbortController>()
  let lastKey = 0

  const change = (key: number, changes: Partial<Upload>) => {
    uploads.value = uploads.value.map((upload) =>
      upload.key === key ? { ...upload, ...changes } : upload,
    )
  }

  function startNext() {
    for (const { key, file, sourceId, trouble } of uploads.value) {
      if (running.size >= atOnce) return
      if (!running.has(key) && sourceId === undefined && trouble === '') void start(key, file)
    }
  }

  async function start(key: number, file: File) {
    const leaving = new AbortController()
    running.set(key, leaving)
    try {
      const onProgress = (sent: number) => change(key, { sent })
      const [source] = await gateway.sources.upload([file], { onProgress, signal: leaving.signal })
      change(key, { sent: 1, sourceId: source?.id })
    } catch (error) {
      change(key, { trouble: messageOf(error) })
    } finally {
      running.delete(key)
      startNext()
    }
  }

  return {
    uploads,

    add(files: Iterable<File>) {
      const room = maxSources - uploads.value.length
      const added = [...files].slice(0, Math.max(0, room)).map((file) => {
        lastKey += 1
        return { key: lastKey, file, sent: 0, sourceId: undefined, trouble: '' }
      })
      uploads.value = [...uploads.value, ...added]
      startNext()
    },

    /** What was stored is deleted again. */
    remove(key: number) {
      running.get(key)?.abort()
      const sourceId = uploads.value.find((upload) => upload.key === key)?.sourceId
      uploads.value = uploads.value.filter((upload) => upload.key !== key)
      if (sourceId) gateway.sources.delete(sourceId).catch(() => undefined)
    },

    retry(key: number) {
      change(key, { trouble: '', sent: 0 })
      startNext()
    },

    /** After a deck was made from them. */
    clear() {
      uploads.value = []
    },

    isBusy: () => uploads.value.some(({ sourceId, trouble }) => !sourceId && trouble === ''),
  }
}

export type Uploads = ReturnType<typeof createUploads>
