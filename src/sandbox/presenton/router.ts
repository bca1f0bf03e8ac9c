/**
 * Finds the route of a request like FastAPI: the first with matching path and method. If only the
 * path of a route matches, the response is 405.
 */

import { adminRoutes } from './routes/admin.ts'
import { chatRoutes } from './routes/chat.ts'
import { createRoutes } from './routes/create.ts'
import { createBlankRoutes } from './routes/create-blank.ts'
import { exportRoutes } from './routes/exports.ts'
import { fileRoutes } from './routes/files.ts'
import { imageRoutes } from './routes/images.ts'
import { interfaceRoutes } from './routes/interface.ts'
import { nextExportRoutes } from './routes/next-exports.ts'
import { openapiRoutes } from './routes/openapi.ts'
import { otherRoutes } from './routes/other.ts'
import { outlineRoutes } from './routes/outlines.ts'
import { prepareRoutes } from './routes/prepare.ts'
import { presentationRoutes } from './routes/presentations.ts'
import { signInRoutes } from './routes/sign-in.ts'
import { slideEditRoutes } from './routes/slide-edits.ts'
import { slideRoutes } from './routes/slides.ts'
import { templateRoutes } from './routes/templates.ts'
import { uploadRoutes } from './routes/uploads.ts'
import type { Features } from './shape.ts'
import type { Route } from './state.ts'

const routes: readonly Route[] = [
  ...signInRoutes,
  ...adminRoutes,
  ...openapiRoutes(() => routes),
  ...createBlankRoutes,
  ...createRoutes,
  ...outlineRoutes,
  ...prepareRoutes,
  ...slideRoutes,
  ...slideEditRoutes,
  ...chatRoutes,
  ...presentationRoutes,
  ...exportRoutes,
  ...nextExportRoutes,
  ...imageRoutes,
  ...templateRoutes,
  ...uploadRoutes,
  ...interfaceRoutes,
  ...otherRoutes,
  ...fileRoutes,
]

export type Match = { route: Route; params: Record<string, string> } | { allow: string } | undefined

export function findRoute(method: string, path: string, features: Features): Match {
  let allow: string | undefined
  for (const route of routes) {
    if (route.isAvailable && !route.isAvailable(features)) continue
    const params = paramsOf(route.path, path)
    if (!params) continue
    if (route.method === method || (method === 'HEAD' && allowsHead(route)))
      return { route, params }
    allow ??= route.method
  }
  return allow ? { allow } : undefined
}

function allowsHead({ operation, method }: Route): boolean {
  return method === 'GET' && ['file', 'asset', 'openapi'].includes(operation)
}

/** The values of the pattern's {names}; undefined when the path doesn't match. */
function paramsOf(pattern: string, path: string): Record<string, string> | undefined {
  const params: Record<string, string> = {}
  const expected = pattern.split('/')
  const actual = path.split('/')
  for (const [index, part] of expected.entries()) {
    const [, name, rest] = /^\{(\w+)(…?)\}$/.exec(part) ?? []
    if (name !== undefined && rest === '…') {
      params[name] = actual.slice(index).join('/')
      return actual.length > index ? params : undefined
    }
    const value = actual[index]
    if (value === undefined || (name !== undefined && value === '')) return undefined
    if (name !== undefined) params[name] = value
    else if (value !== part) return undefined
  }
  return actual.length === expected.length ? params : undefined
}
