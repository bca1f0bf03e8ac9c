// The parser of scopes that read `multipart/form-data` themselves: it leaves the body unread.

import { Problem } from '../../domain/problem.ts'
import type { App } from '../base.ts'
import { rejectOtherBodies } from './json-bodies.ts'

export function multipartBodies(scope: App): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('multipart/form-data', (request, _body, done) => {
    const { 'content-encoding': encoding } = request.headers
    const isPlain = encoding === undefined || encoding === 'identity'
    done(isPlain ? null : new Problem('UNSUPPORTED_MEDIA_TYPE'), undefined)
  })
  rejectOtherBodies(scope)
}
