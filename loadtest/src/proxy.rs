//! A raw byte-copying TCP proxy: reads, writes, nothing else. The bound of what forwarding costs.
