// Documents on their way to become sources: each file its own upload, with its own progress.

import { signal } from '@preact/signals'
import { keepDraft, readDraft } from './drafts.ts'
import { isLost, messageOf } from './problems.ts'
import { randomHex } from './random.ts'
import { gateway, noticeSignedOut } from './session.ts'

export interface Upload {
  key: number
  name: string
  size: number
  /** From 0 to 1. */
  sent: number
  sourceId: string | undefined
  trouble: string
  /** Undefined for what an earlier visit of the page has stored. */
  file?: File
  /** The same for each try, so that a lost response does not store a file twice. */
  idempotencyKey: string
  /** The connection was lost, so it starts again by itself. */
  isInterrupted: boolean
}

type Stored = Pick<Upload, 'name' | 'size' | 'sourceId'>

/** The gateway takes four at once from one user. */
const atOnce = 3
export const maxSources = 10
const draftName = 'sources'

export function createUploads() {
  let lastKey = 0
  function toUpload(of: Stored & { file?: File }): Upload {
    lastKey += 1
    const state = { sent: of.sourceId ? 1 : 0, trouble: '', isInterrupted: false }
    return { ...of, ...state, key: lastKey, idempotencyKey: randomHex() }
  }
  const uploads = signal<Upload[]>((readDraft<Stored[]>(draftName) ?? []).map(toUpload))
  const running = new Map<number, AbortController>()

  function set(next: Upload[]) {
    uploads.value = next
    const stored = next.filter(({ sourceId }) => sourceId)
    const kept = stored.map(({ name, size, sourceId }) => ({ name, size, sourceId }))
    keepDraft(draftName, kept.length > 0 ? kept : undefined)
  }
  const change = (key: number, changes: Partial<Upload>) =>
    set(uploads.value.map((upload) => (upload.key === key ? { ...upload, ...changes } : upload)))

  function startNext() {
    for (const upload of uploads.value) {
      if (running.size >= atOnce) return
      const { key, file, sourceId, trouble } = upload
      if (file && !running.has(key) && !sourceId && trouble === '') void start(upload, file)
    }
  }

  async function start({ key, idempotencyKey }: Upload, file: File) {
    const leaving = new AbortController()
    running.set(key, leaving)
    try {
      const [source] = await gateway.sources.upload([file], {
        onProgress: (sent) => change(key, { sent }),
        signal: leaving.signal,
        idempotencyKey,
      })
      change(key, { sent: 1, sourceId: source?.id })
    } catch (error) {
      if (leaving.signal.aborted) return
      const trouble = noticeSignedOut(error) ? 'Not sent yet.' : messageOf(error)
      change(key, { trouble, isInterrupted: isLost(error) })
    } finally {
      if (running.get(key) === leaving) running.delete(key)
      startNext()
    }
  }

  return {
    uploads,

    add(files: Iterable<File>) {
      const room = maxSources - uploads.value.length
      const added = [...files].slice(0, Math.max(0, room))
      const more = added.map((file) =>
        toUpload({ name: file.name, size: file.size, sourceId: undefined, file }),
      )
      set([...uploads.value, ...more])
      startNext()
    },

    /** What was stored is deleted again. */
    remove(key: number) {
      running.get(key)?.abort()
      const sourceId = uploads.value.find((upload) => upload.key === key)?.sourceId
      set(uploads.value.filter((upload) => upload.key !== key))
      if (sourceId) gateway.sources.delete(sourceId).catch(() => undefined)
    },

    retry(key: number) {
      change(key, { trouble: '', sent: 0, isInterrupted: false })
      startNext()
    },

    /** The page goes to sleep: a connection would not survive it. */
    pause() {
      for (const leaving of running.values()) leaving.abort()
      running.clear()
    },

    /** After `pause`, or when the network is back. */
    resume() {
      const fresh = { trouble: '', sent: 0, isInterrupted: false }
      set(uploads.value.map((upload) => (upload.isInterrupted ? { ...upload, ...fresh } : upload)))
      startNext()
    },

    /** After a deck was made from them. */
    clear: () => set([]),

    isBusy: () => uploads.value.some(({ sourceId, trouble }) => !sourceId && trouble === ''),
  }
}

export type Uploads = ReturnType<typeof createUploads>
