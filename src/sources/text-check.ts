// Checks while a file arrives whether it is text: UTF-8, or UTF-16 with a byte order mark. UTF-8 is
// checked without decoding it, which would cost more than everything else that is done with a byte.

import { isUtf8 } from 'node:buffer'
import { encodingOfMark } from '../objects/text-encoding.ts'

export interface TextVerdict {
  isText: boolean
  hasMark: boolean
  /** Other than tabs, line ends and page breaks; at the start of the file. */
  hasControls: boolean
}

const markBytes = 3
/** Binary files have control characters at their start. */
const startBytes = 4096

/** `add` and `end` are false once the bytes are not valid. */
interface Validator {
  add(bytes: Buffer): boolean
  end(): boolean
}

export function createTextCheck() {
  let start: Buffer = Buffer.alloc(0)
  let validator: Validator | undefined
  let hasMark = false
  let isText = true
  let hasControls = false
  let lookedAt = 0

  function lookForControls(bytes: Buffer): void {
    hasControls ||= bytes.subarray(0, startBytes - lookedAt).some(isControl)
    lookedAt = Math.min(startBytes, lookedAt + bytes.length)
  }

  function open(): void {
    const encoding = encodingOfMark(start)
    hasMark = encoding !== undefined
    validator =
      encoding === undefined || encoding === 'utf-8' ? utf8Validator() : utf16Validator(encoding)
    isText = validator.add(start)
  }

  return {
    add(bytes: Buffer): void {
      lookForControls(bytes)
      if (validator) isText &&= validator.add(bytes)
      else {
        start = Buffer.concat([start, bytes])
        if (start.length >= markBytes) open()
      }
    },
    /** Of the bytes so far. */
    verdict: (): TextVerdict => ({ isText, hasMark, hasControls }),
    finish(): TextVerdict {
      if (!validator) open()
      isText &&= validator?.end() ?? false
      return { isText, hasMark, hasControls }
    },
  }
}

const isControl = (byte: number) =>
  byte === 0x7f || (byte < 0x20 && ![0x09, 0x0a, 0x0c, 0x0d].includes(byte))

function utf8Validator(): Validator {
  let rest: Buffer = Buffer.alloc(0)
  return {
    add(bytes) {
      const all = rest.length > 0 ? Buffer.concat([rest, bytes]) : bytes
      const cut = all.length - incompleteBytes(all)
      rest = Buffer.from(all.subarray(cut))
      return isUtf8(all.subarray(0, cut))
    },
    end: () => rest.length === 0,
  }
}

/** How many bytes at the end belong to a character whose last bytes are missing. */
function incompleteBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] as number
    if ((byte & 0xc0) === 0x80) continue
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return length > back ? back : 0
  }
  return 0
}

function utf16Validator(encoding: string): Validator {
  const decoder = new TextDecoder(encoding, { fatal: true })
  const isValid = (bytes: Uint8Array, stream: boolean) => {
    try {
      decoder.decode(bytes, { stream })
      return true
    } catch {
      return false
    }
  }
  return { add: (bytes) => isValid(bytes, true), end: () => isValid(new Uint8Array(), false) }
}
