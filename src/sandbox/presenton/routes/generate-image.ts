/**
 * GET /images/generate: a picture by prompt, which costs money at every call. The reply is the path of
 * the picture, as a JSON string.
 */

import { randomUUID } from 'node:crypto'
import { pause } from '../pace.ts'
import { json, type Reply, validationFailed } from '../reply.ts'
import type { Exchange, Route, StandInState } from '../state.ts'
import { missingField } from './validation.ts'

export const generateImageRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/v1/ppt/images/generate',
    operation: 'generate-image',
    handle: generate,
  },
]

async function generate(state: StandInState, { url, user }: Exchange): Promise<Reply> {
  if (!url.searchParams.has('prompt')) return validationFailed([missingField('prompt')])
  state.spendCounter.countImage()
  await pause(state.pace.prepareMs)
  const folder = state.features().exportsPerUser ? `/users/${user.id}` : ''
  return json(`/app_data/images${folder}/${randomUUID()}.png`)
}
