// SPDX-License-Identifier: Apache-2.0
/** The gateway's socket for native programs: its configuration, its server, and the operations of its clients. */
package org.dmabuf.heap.nativeclient;
