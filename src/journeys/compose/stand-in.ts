// The stand-in for Presenton as the program of a container, which the check bundles.

import { openStandIn, paces } from '../../sandbox/presenton/stand-in.ts'

const { AUTH_USERNAME: username = '', AUTH_PASSWORD: password = '' } = process.env
await openStandIn({
  host: '0.0.0.0',
  port: 80,
  appDataDir: '/app_data',
  pace: paces.model,
  loginLimit: null,
  ...(username && { credentials: { username, password } }),
})
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0))
