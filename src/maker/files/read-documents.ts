// POST /files/decompose and /api/read-file: upstream reads documents, and the interface shows what
// it read. One request of a user at a time. It goes on when its tab closes: upstream does so
// anyway.

import { randomUUID } from 'node:crypto'
import type { Database } from '../../database/connection.ts'
import {
  endReadRight,
  findDocumentText,
  renewReadRight,
  saveDocumentText,
  takeReadRight,
} from '../../database/document-texts.ts'
import { Problem } from '../../domain/problem.ts'
import type { ObjectStore } from '../../objects/store.ts'
import type { UpstreamAccount } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import { isObject } from '../../presenton/deck-responses.ts'
import { hasLostFiles } from '../../presenton/source-uploads.ts'
import type { SourceRow } from '../../sources/statements.ts'
import type { Exchange } from '../exchange.ts'
import { storableText } from '../paid/texts.ts'
import { parseHandle, textHandleOf } from './handles.ts'
import { findSources, uploadUpstream } from './resolve-files.ts'

export interface ReadDocuments {
  database: Pick<Database, 'query'>
  objects: Pick<ObjectStore, 'readRange'>
  presenton: Pick<Presenton, 'uploadSource' | 'checkCircuit' | 'readDocument'>
  leaseMs: number
  /** For all documents of a request. */
  timeoutMs?: number
}

export const readTimeoutMs = 600_000
const maxDocuments = 10
const maxLanguageChars = 100
/** What is shown. A deck is made from the whole document. */
const maxTextChars = 1_000_000
const retryAfterSeconds = 5

const invalid = (path: string, message: string) =>
  new Problem('VALIDATION_FAILED', { errors: [{ path, message }] })

function readRequest(body: unknown): { handles: string[]; language: string | null } {
  const { file_paths: paths, language = null } = isObject(body) ? body : {}
  const isList = Array.isArray(paths) && paths.length > 0 && paths.length <= maxDocuments
  if (!isList || !paths.every((path) => typeof path === 'string'))
    throw invalid('/file_paths', `must name 1 to ${maxDocuments} files`)
  if (language !== null && (typeof language !== 'string' || language.length > maxLanguageChars))
    throw invalid('/language', `must be a text of up to ${maxLanguageChars} characters`)
  return { handles: paths, language: language === null ? null : storableText(language) }
}

export function createReadDocuments(options: ReadDocuments) {
  const { database, presenton, leaseMs, timeoutMs = readTimeoutMs } = options

  async function readOne(
    source: SourceRow,
    call: { account: UpstreamAccount; signal: AbortSignal; language: string | null },
  ): Promise<void> {
    const read = async () => {
      const [path = ''] = await uploadUpstream(options, [source], call)
      return presenton.readDocument({ ...call, path, timeoutMs })
    }
    const text = await read().catch((error: unknown) => {
      // Upstream has restarted in between.
      if (!hasLostFiles(error)) throw error
      return read()
    })
    const content = storableText(text.slice(0, maxTextChars))
    await saveDocumentText(database, { sourceId: source.id, content })
  }

  /** @throws Problem RATE_LIMIT_EXCEEDED while another request of the user is under way */
  async function withRight<T>(userId: string, act: () => Promise<T>): Promise<T> {
    const right = { userId, token: randomUUID(), leaseMs }
    if (!(await takeReadRight(database, right)))
      throw new Problem('RATE_LIMIT_EXCEEDED', { retryAfterSeconds })
    const renewal = setInterval(
      () => void renewReadRight(database, right).catch(() => undefined),
      leaseMs / 3,
    )
    try {
      return await act()
    } finally {
      clearInterval(renewal)
      // Otherwise it ends by itself.
      await endReadRight(database, right).catch(() => undefined)
    }
  }

  return {
    /** @throws Problem NOT_FOUND, RATE_LIMIT_EXCEEDED, UPSTREAM_TIMEOUT after 10 minutes */
    async readDocuments({ owner, account, body }: Exchange) {
      const { handles, language } = readRequest(body)
      const sources = await findSources(database, { owner, handles })
      presenton.checkCircuit()
      return withRight(owner, async () => {
        const deadline = new AbortController()
        const timer = setTimeout(
          () => deadline.abort(new Problem('UPSTREAM_TIMEOUT', { failure: 'fault' })),
          timeoutMs,
        )
        try {
          for (const source of sources)
            await readOne(source, { account, language, signal: deadline.signal })
        } finally {
          clearTimeout(timer)
        }
        return sources.map((source) => ({ name: source.name, file_path: textHandleOf(source) }))
      })
    },

    /** @throws Problem NOT_FOUND for all but what was read for this user within a day */
    async readText({ owner: userId, body }: Exchange) {
      const { filePath } = isObject(body) ? body : {}
      const handle = typeof filePath === 'string' ? parseHandle(filePath) : undefined
      if (!handle?.isText) throw new Problem('NOT_FOUND')
      const found = await findDocumentText(database, { userId, sourceId: handle.sourceId })
      if (found?.name !== handle.name) throw new Problem('NOT_FOUND')
      return { content: found.content }
    },
  }
}
