// Checks while a file arrives whether it is text: UTF-8, or UTF-16 with a byte order mark.

import { encodingOfMark } from '../objects/text-encoding.ts'

export interface TextVerdict {
  isText: boolean
  hasMark: boolean
  /** Other than tabs, line ends and page breaks. */
  hasControls: boolean
}

const controls = /[^\P{Cc}\t\n\r\f]/u
const markBytes = 3

export function createTextCheck() {
  let start: Buffer = Buffer.alloc(0)
  let decoder: InstanceType<typeof TextDecoder> | undefined
  let hasMark = false
  let isText = true
  let hasControls = false

  function decode(bytes: Uint8Array, stream: boolean): void {
    if (!isText) return
    try {
      const text = decoder?.decode(bytes, { stream }) ?? ''
      hasControls ||= controls.test(text)
    } catch {
      isText = false
    }
  }

  function open(): void {
    const encoding = encodingOfMark(start)
    hasMark = encoding !== undefined
    decoder = new TextDecoder(encoding ?? 'utf-8', { fatal: true })
    decode(start, true)
  }

  return {
    add(bytes: Buffer): void {
      if (decoder) decode(bytes, true)
      else {
        start = Buffer.concat([start, bytes])
        if (start.length >= markBytes) open()
      }
    },
    /** Of the bytes so far. */
    verdict: (): TextVerdict => ({ isText, hasMark, hasControls }),
    finish(): TextVerdict {
      if (!decoder) open()
      decode(new Uint8Array(), false)
      return { isText, hasMark, hasControls }
    },
  }
}
