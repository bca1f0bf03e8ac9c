// The functions of the slide maker, for tests of routes that do not call them.

import type { MakerApi } from '../maker/routes/maker-links.ts'

export function unexpectedCall(): never {
  throw new Error('this test expects no such call')
}

export const unusedMaker: MakerApi = {
  links: { toPresentation: unexpectedCall, toPage: unexpectedCall },
  renewSessions: unexpectedCall,
  endSessions: unexpectedCall,
}
