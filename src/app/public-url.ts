// The base of all links: PUBLIC_URL, or localhost with the bound port. With PORT=0 the port is
// known only once the server listens.
import type { Config } from '../config/config.ts'

export type PublicUrl = ReturnType<typeof createPublicUrl>

export function createPublicUrl({ publicUrl, port }: Pick<Config, 'publicUrl' | 'port'>) {
  let boundPort = port
  return {
    /** Without a slash at the end. */
    read: () => publicUrl ?? `http://localhost:${boundPort}`,
    setPort(port: number): void {
      boundPort = port
    },
  }
}
