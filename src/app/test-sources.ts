// The feature of sources for tests of other routes: no user has any.

import type { SourceServices } from '../sources/routes.ts'
import { sourceView } from '../sources/view.ts'

function unexpectedCall(): never {
  throw new Error('this test expects no such call')
}

export function unusedSources(publicUrl: () => string): SourceServices {
  return {
    upload: unexpectedCall,
    listSources: async () => [],
    findSource: async () => undefined,
    removeSource: unexpectedCall,
    presign: unexpectedCall,
    view: (row) => sourceView(row, `${publicUrl()}/api/v1`),
  }
}
