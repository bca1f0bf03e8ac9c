// Types for the parts of @20minutes/s3rver that the sandbox uses; the package has none.

declare module '@20minutes/s3rver' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  export interface Context {
    app: object
    method: string
    /** Path and query, still encoded. */
    url: string
    /** Still encoded. */
    path: string
    query: Record<string, string | string[] | undefined>
    headers: Record<string, string | undefined>
    status: number
    type: string
    body: unknown
  }

  export interface Store {
    rootDirectory: string
    getResourcePath(bucket: string, key: string | undefined, resource: string): string
    /** Resolves with size and MD5 (hex). */
    putContent(
      path: string,
      content: NodeJS.ReadableStream | Buffer,
    ): Promise<[size: number, md5: string]>
  }

  /** A Koa application. */
  export default class S3rver {
    constructor(options: { directory: string; silent: boolean; vhostBuckets: boolean })
    readonly store: Store
    readonly middleware: ((ctx: Context, next: () => Promise<void>) => Promise<void>)[]
    readonly logger: { close(): void }
    configureBuckets(): Promise<unknown>
    on(event: 'error', listener: (error: unknown) => void): this
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
  }
}

declare module '@20minutes/s3rver/lib/models/account.js' {
  /** Its keys are valid for every store of this process. */
  export const DUMMY_ACCOUNT: {
    createKeyPair(accessKey: string, secretKey: string): void
    revokeAccessKey(accessKey: string): void
  }
}
