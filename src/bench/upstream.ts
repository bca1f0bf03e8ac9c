// The upstream of a benchmark, run as a process: the stand-in behind the event generator.
import { openStandIn, paces } from '../sandbox/presenton/stand-in.ts'
import { openEventGenerator } from './event-generator.ts'

const standIn = await openStandIn({ shape: 'B1', pace: paces.fast })
const generator = await openEventGenerator({ upstream: standIn.url })
process.once('SIGTERM', () => void standIn.close().then(() => process.exit(0)))
console.log(JSON.stringify({ msg: 'listening', address: generator.url }))
