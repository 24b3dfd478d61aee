//! Processes: started, pinned to cores, priced in CPU, memory and system calls, ended.
