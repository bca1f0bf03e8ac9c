// A module for `node --import` that ends a child process when its parent dies, however that
// happens: the kernel closes the pipe to the child's standard input, and the child kills itself.

export const exitWithParent =
  'data:text/javascript,process.stdin.resume().on("end",()=>process.kill(process.pid,"SIGKILL")).unref()'
