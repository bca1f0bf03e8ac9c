/**
 * Which route a request means, as FastAPI finds it: the first whose path and method fit; a path
 * that fits alone is a 405.
 */

import { createRoutes } from './routes/create.ts'
import { exportRoutes } from './routes/exports.ts'
import { fileRoutes } from './routes/files.ts'
import { openapiRoutes } from './routes/openapi.ts'
import { otherRoutes } from './routes/other.ts'
import { outlineRoutes } from './routes/outlines.ts'
import { prepareRoutes } from './routes/prepare.ts'
import { presentationRoutes } from './routes/presentations.ts'
import { signInRoutes } from './routes/sign-in.ts'
import { slideRoutes } from './routes/slides.ts'
import { templateRoutes } from './routes/templates.ts'
import type { Features } from './shape.ts'
import type { Route } from './world.ts'

const all: readonly Route[] = [
  ...signInRoutes,
  ...openapiRoutes(() => all),
  ...createRoutes,
  ...outlineRoutes,
  ...prepareRoutes,
  ...slideRoutes,
  ...presentationRoutes,
  ...exportRoutes,
  ...templateRoutes,
  ...otherRoutes,
  ...fileRoutes,
]

export type Match = { route: Route; params: Record<string, string> } | { allow: string } | undefined

export function match(method: string, path: string, features: Features): Match {
  let allow: string | undefined
  for (const route of all) {
    if (route.when && !route.when(features)) continue
    const params = paramsOf(route.path, path)
    if (!params) continue
    if (route.method === method || (method === 'HEAD' && answersHead(route)))
      return { route, params }
    allow ??= route.method
  }
  return allow ? { allow } : undefined
}

function answersHead({ operation, method }: Route): boolean {
  return method === 'GET' && ['file', 'asset', 'openapi'].includes(operation)
}

function paramsOf(pattern: string, path: string): Record<string, string> | undefined {
  const params: Record<string, string> = {}
  const wanted = pattern.split('/')
  const given = path.split('/')
  for (const [index, part] of wanted.entries()) {
    const name = /^\{(\w+)(…?)\}$/.exec(part)
    if (name?.[2]) {
      params[name[1] as string] = given.slice(index).join('/')
      return given.length > index ? params : undefined
    }
    const value = given[index]
    if (value === undefined || (name && value === '')) return undefined
    if (name) params[name[1] as string] = value
    else if (value !== part) return undefined
  }
  return given.length === wanted.length ? params : undefined
}
