// Records the images that slides name, with the events that name them first, so that readers of the
// slides may fetch them.

import { recordImages } from '../database/images.ts'
import type { ExtraStatement } from '../database/run-write.ts'
import { findImagePaths } from '../presenton/image-paths.ts'

export type ImageRecorder = ReturnType<typeof createImageRecorder>

export function createImageRecorder(userId: string) {
  const recorded = new Set<string>()
  return {
    /** The statements that record the images in `shown`; none when all were recorded before. */
    of(shown: unknown): ExtraStatement[] {
      const found = [...findImagePaths(shown)].filter((path) => !recorded.has(path))
      for (const path of found) recorded.add(path)
      return found.length === 0 ? [] : [recordImages(userId, found)]
    },
  }
}
