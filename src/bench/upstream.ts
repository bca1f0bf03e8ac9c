// Upstream as a process of its own: the stand-in, and the metronome in front of it.
import { openStandIn, paces } from '../sandbox/presenton/stand-in.ts'
import { openMetronome } from './metronome.ts'

const presenton = await openStandIn({ shape: 'B1', pace: paces.fast })
const metronome = await openMetronome({ upstream: presenton.url })
process.once('SIGTERM', () => void presenton.close().then(() => process.exit(0)))
console.log(JSON.stringify({ msg: 'listening', address: metronome.url }))
