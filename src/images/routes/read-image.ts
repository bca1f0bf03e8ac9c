// GET and HEAD of the pictures that slide objects name, at the paths that they name.
// @fastify/http-proxy routes and pipes; what goes to upstream is a request of the gateway's own, so
// that nothing of the caller's but the path ever reaches it, and nothing of upstream's but a
// picture ever comes back.

import { Readable } from 'node:stream'
import httpProxy from '@fastify/http-proxy'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { disconnectSignal } from '../../http/disconnect.ts'
import { handleError, pathOf } from '../../http/problems.ts'
import { problemResponses } from '../../http/schemas.ts'
import { type CallOptions, sharedAccount } from '../../presenton/account.ts'

export interface Image {
  body: Readable
  contentType: string
  sizeBytes?: number
}

export interface ImageServices {
  /** By its unencoded path; NOT_FOUND for what is no picture. */
  openImage: (call: CallOptions & { path: string }) => Promise<Image>
  /** Whether a picture occurs in this user's slides. */
  ownsImage: (wanted: { userId: string; path: string }) => Promise<boolean>
}

const ownedRoot = '/app_data/images'
const sharedRoot = '/static'

/** An SVG is a document: opened by itself, it may draw and nothing else. */
const contentSecurityPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
/**
 * Names of pictures are never used again for another, but what belongs to a deleted deck is to be
 * gone soon.
 */
const cacheControl = 'private, max-age=3600'

/**
 * How a request of ours finds its way through the proxy, which hands on headers and nothing else.
 */
const asked = Symbol('asked for')
type Asked = { path: string; signal: AbortSignal }

export async function imageRoutes(app: App, { openImage, ownsImage }: ImageServices) {
  const allowedPaths = new WeakMap<FastifyRequest, string>()
  app.addHook('onRoute', (route) => {
    const isOwned = route.url.startsWith(ownedRoot)
    route.schema = {
      operationId: isOwned ? 'readPicture' : 'readSharedPicture',
      tags: ['presentations'],
      summary: isOwned ? 'Fetch a picture of your slides' : 'Fetch a picture that slides share',
      response: {
        200: {
          description: 'The picture.',
          content: { 'image/*': { schema: { type: 'string', format: 'binary' } } },
        },
        ...problemResponses(
          'NOT_FOUND',
          'UPSTREAM_ERROR',
          'UPSTREAM_UNAVAILABLE',
          'UPSTREAM_TIMEOUT',
          'UPSTREAM_REJECTED',
        ),
      },
      ...route.schema,
    }
  })

  async function checkPath(request: FastifyRequest) {
    const path = plainPath(pathOf(request))
    const isOwn = path.startsWith(`${ownedRoot}/`)
    if (isOwn && !(await ownsImage({ userId: request.caller.userId, path })))
      throw new Problem('NOT_FOUND')
    allowedPaths.set(request, path)
  }

  /** Stands where the proxy expects an HTTP client. */
  const client = {
    request({ method, headers }: { method: string; headers: Record<symbol, Asked> }, done: Done) {
      const { path, signal } = headers[asked] as Asked
      openImage({ account: sharedAccount, signal, path }).then(
        (picture) => done(null, answerOf(picture, method)),
        (error: Error) => done(error),
      )
    },
  }

  for (const prefix of [ownedRoot, sharedRoot]) {
    await app.register(httpProxy, {
      prefix,
      // Never asked; the client above knows the real one.
      upstream: 'http://upstream.invalid',
      undici: client as never,
      routes: ['/*'],
      httpMethods: ['GET'],
      proxyPayloads: false,
      disableCache: true,
      disableRequestLogging: true,
      preHandler: checkPath,
      handler(request, reply) {
        const path = allowedPaths.get(request) ?? ''
        const signal = disconnectSignal(reply)
        reply.from('/', {
          queryString: () => '',
          rewriteRequestHeaders: () => ({ [asked]: { path, signal } }) as never,
          onError: (_reply, { error }) => fail(request, reply, error),
        })
      },
    })
  }
}

type Done = (
  error: Error | null,
  answer?: { statusCode: number; headers: Record<string, string>; body: Readable },
) => void

function answerOf({ body, contentType, sizeBytes }: Image, method: string) {
  if (method === 'HEAD') body.destroy()
  return {
    statusCode: 200,
    headers: {
      'content-type': contentType,
      ...(sizeBytes === undefined ? {} : { 'content-length': String(sizeBytes) }),
      'cache-control': cacheControl,
      'content-security-policy': contentSecurityPolicy,
      vary: 'Authorization, Cookie, Origin',
    },
    body: method === 'HEAD' ? Readable.from([]) : body,
  }
}

/** The proxy wraps what went wrong in an error of its own. */
function fail(request: FastifyRequest, reply: FastifyReply, error: Error) {
  if (!reply.raw.destroyed) handleError(error.cause ?? error, request, reply)
}

/**
 * The path as its one plain form. One that is not written in normal form leads to nothing: what is
 * looked up is what is fetched.
 */
function plainPath(path: string): string {
  const names = path.slice(1).split('/').map(plainName)
  if (names.some((name) => name === undefined)) throw new Problem('NOT_FOUND')
  return `/${names.join('/')}`
}

function plainName(encoded: string): string | undefined {
  let name: string
  try {
    name = decodeURIComponent(encoded)
  } catch {
    return undefined
  }
  const isOdd = name === '' || /^(?:\.|%2e){1,2}$/i.test(name) || /[/\\\p{Cc}]/u.test(name)
  return isOdd ? undefined : name
}
