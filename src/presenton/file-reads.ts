// Opens files of Presenton: exports, from a mounted copy of its /app_data or over HTTP, and images.

import type { CallOptions } from './account.ts'
import type { CallMetrics } from './call-metrics.ts'
import type { Calls } from './calls.ts'
import { type OpenedFile, openExportedFile } from './exported-file.ts'
import { type OpenedImage, openUpstreamImage } from './image.ts'
import { type MountedFileResult, openMountedFile } from './mounted-file.ts'
import type { PerformOperation } from './operation.ts'

export interface FileReadsOptions {
  calls: Calls
  perform: PerformOperation
  metrics: CallMetrics
  appDataDir: string | undefined
  onMountedFile: ((result: MountedFileResult) => void) | undefined
  timeouts: { createMs: number; stallMs: number; streamMs: number }
}

export function createFileReads(options: FileReadsOptions) {
  const { calls, perform, metrics, appDataDir, onMountedFile, timeouts } = options

  return {
    /** The file at the `path` of an export. What cannot be the exported file is a 'bad-file'. */
    openFile: (call: CallOptions & { path: string }): Promise<OpenedFile> =>
      appDataDir !== undefined
        ? metrics.measure('file', () =>
            openMountedFile({ ...call, appDataDir, onResult: onMountedFile }),
          )
        : perform({ operation: 'file', signal: call.signal }, ({ auth: kind }) =>
            openExportedFile({
              ...call,
              calls,
              auth: kind,
              timeoutMs: timeouts.streamMs,
              // A file needs no pauses like those of a model.
              stallMs: Math.min(timeouts.stallMs, timeouts.createMs),
            }),
          ),

    /**
     * An image in a slide, by its unencoded path; NOT_FOUND if the path leads to no image. The
     * caller must check who may see it.
     */
    openImage: (call: CallOptions & { path: string }): Promise<OpenedImage> =>
      perform({ operation: 'image', signal: call.signal }, ({ auth: kind }) =>
        openUpstreamImage({ ...call, calls, auth: kind, timeoutMs: timeouts.createMs }),
      ),
  }
}
