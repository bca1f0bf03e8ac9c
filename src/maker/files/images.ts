// Images of the user: uploads, the lists of the account, deletion, and the search for stock
// images.

import type { Database } from '../../database/connection.ts'
import { giveUseBack, takeUse, type UseLimit } from '../../database/maker-uses.ts'
import { Problem } from '../../domain/problem.ts'
import { hasText } from '../../presentations/read-brief.ts'
import type { Presenton } from '../../presenton/client.ts'
import { mayHaveStarted } from '../../presenton/failures.ts'
import { parseDeckId } from '../deck-ids.ts'
import type { Exchange } from '../exchange.ts'
import { createReceiveImage, type ReceiveImageOptions } from './receive-image.ts'

export interface ImageOptions extends ReceiveImageOptions {
  database: Pick<Database, 'query' | 'transaction'>
  presenton: Pick<
    Presenton,
    'uploadImage' | 'listImages' | 'deleteImage' | 'searchImages' | 'checkCircuit'
  >
}

const uploadLimit: UseLimit = {
  kind: 'image-upload',
  limit: 200,
  windowSeconds: 86_400,
  code: 'QUOTA_EXCEEDED',
}
const searchLimit: UseLimit = {
  kind: 'image-search',
  limit: 60,
  windowSeconds: 60,
  code: 'RATE_LIMIT_EXCEEDED',
}

const maxQueryChars = 500
const maxFound = 30

function readSearch({ query = '', limit = '12', provider }: Record<string, string>) {
  const invalid = (path: string, message: string) =>
    new Problem('VALIDATION_FAILED', { errors: [{ path, message }] })
  if (!hasText(query) || query.length > maxQueryChars)
    throw invalid('query', `must be a text of up to ${maxQueryChars} characters`)
  const count = Number(limit)
  if (!/^\d{1,2}$/.test(limit) || count < 1 || count > maxFound)
    throw invalid('limit', `must be a number from 1 to ${maxFound}`)
  if (provider !== undefined && !/^(?:pexels|pixabay)$/i.test(provider.trim()))
    throw invalid('provider', 'must be pexels or pixabay')
  return new URLSearchParams({
    query: query.toWellFormed(),
    limit: String(count),
    ...(provider !== undefined && { provider: provider.trim().toLowerCase() }),
  })
}

export function createImageHandlers(options: ImageOptions) {
  const { database, presenton } = options
  const withImage = createReceiveImage(options)

  return {
    /** @throws Problem PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, QUOTA_EXCEEDED, UPSTREAM_… */
    async uploadImage({ owner, account, request, signal: left }: Exchange) {
      presenton.checkCircuit()
      return withImage({ owner, request, signal: left }, async (image) => {
        const useId = await takeUse(database, owner, uploadLimit)
        // From here on the image is kept, even if its tab closes.
        const { signal } = new AbortController()
        return presenton.uploadImage({ account, signal, ...image }).catch(async (error) => {
          if (!mayHaveStarted(error)) await giveUseBack(database, useId)
          throw error
        })
      })
    },

    uploadedImages: ({ account, signal }: Exchange) =>
      presenton.listImages({ account, signal }, 'uploaded'),

    generatedImages: ({ account, signal }: Exchange) =>
      presenton.listImages({ account, signal }, 'generated'),

    /** Upstream does not say who owns an image, so the lists of the account decide. */
    async deleteImage({ account, signal, params, reply }: Exchange) {
      const id = parseDeckId(params.id ?? '')
      if (id === undefined) throw new Problem('NOT_FOUND')
      for (const kind of ['uploaded', 'generated'] as const) {
        const own = await presenton.listImages({ account, signal }, kind)
        if (!own.some((image) => image.id === id)) continue
        await presenton.deleteImage({ account, signal }, id)
        return reply.code(204).send()
      }
      throw new Problem('NOT_FOUND')
    },

    /** The user's own key, and the parameter that checks it, are not sent on. */
    async searchImages({ owner, account, signal, query }: Exchange) {
      const search = readSearch(query)
      presenton.checkCircuit()
      await takeUse(database, owner, searchLimit)
      return presenton.searchImages({ account, signal }, search)
    },
  }
}
