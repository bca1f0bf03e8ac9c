// GET and HEAD of the images in slides, at the paths by which the slides name them. Presenton
// receives a request of the gateway's own: nothing of the client's request but the path reaches it,
// and only images come back.

import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { disconnectSignal } from '../../http/disconnect.ts'
import { pathOf } from '../../http/problems.ts'
import { mediaResponse, problemResponses } from '../../http/schemas.ts'
import { sharedAccount, type UpstreamAccount } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import { decodePlainPath } from '../../presenton/plain-path.ts'

export interface ImageServices {
  openImage: Presenton['openImage']
  /** The account in Presenton that may read an image of the user's slides; undefined for others. */
  findAccount: (image: { userId: string; path: string }) => Promise<UpstreamAccount | undefined>
}

/** An SVG opened as a document of its own may apply inline styles, and nothing else. */
const contentSecurityPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
/** Presenton never reuses the name of an image, but images of a deleted deck must expire soon. */
const cacheControl = 'private, max-age=3600'

/** Files of templates, fonts and icons belong to no user. */
const sharedRoots = [
  ['/static', 'readSharedImage'],
  ['/app_data/templates', 'readTemplateImage'],
  ['/app_data/fonts', 'readFont'],
] as const

export function imageRoutes(app: App, { openImage, findAccount }: ImageServices) {
  app.get(
    '/app_data/images/*',
    { schema: imageSchema('readImage', 'Fetch an image of your slides') },
    async (request, reply) => {
      const path = readPath(request)
      const account = await findAccount({ userId: request.caller.userId, path })
      if (!account) throw new Problem('NOT_FOUND')
      return sendImage(request, reply, { account, path })
    },
  )
  for (const [root, operationId] of sharedRoots) {
    app.get(
      `${root}/*`,
      { schema: imageSchema(operationId, 'Fetch an image or a font that all slides share') },
      (request, reply) =>
        sendImage(request, reply, { account: sharedAccount, path: readPath(request) }),
    )
  }

  /** `reply.send` applies back-pressure, and destroys the body when the client disconnects. */
  async function sendImage(
    request: FastifyRequest,
    reply: FastifyReply,
    image: { account: UpstreamAccount; path: string },
  ) {
    const { body, contentType, sizeBytes } = await openImage({
      ...image,
      signal: disconnectSignal(reply),
    })
    reply.headers({
      'content-type': contentType,
      'cache-control': cacheControl,
      'content-security-policy': contentSecurityPolicy,
      vary: 'Authorization, Cookie, Origin',
    })
    if (sizeBytes !== undefined) reply.header('content-length', sizeBytes)
    if (request.method !== 'HEAD') return reply.send(body)
    // For a HEAD request Fastify would read the whole body and discard it.
    body.destroy()
    return reply.send(Readable.from([]))
  }
}

/** The decoded path. The path that is looked up must be the very path that is fetched. */
function readPath(request: FastifyRequest): string {
  const path = decodePlainPath(pathOf(request))
  if (path === undefined) throw new Problem('NOT_FOUND')
  return path
}

const pathParams = Type.Object({
  path: Type.String({
    description: 'The rest of the path, as slides name it; slashes separate folders.',
    examples: ['images/placeholder.jpg'],
  }),
})

function imageSchema(operationId: string, summary: string) {
  return {
    operationId,
    summary,
    tags: ['presentations'],
    openapi: { params: pathParams },
    response: {
      200: mediaResponse(
        'image/*',
        { type: 'string', format: 'binary' },
        { description: 'The image.', headers: ['Cache-Control', 'Vary'] },
      ),
      ...problemResponses(
        'NOT_FOUND',
        'UPSTREAM_ERROR',
        'UPSTREAM_UNAVAILABLE',
        'UPSTREAM_TIMEOUT',
        'UPSTREAM_REJECTED',
      ),
    },
  }
}
