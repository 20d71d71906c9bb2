// SPDX-License-Identifier: Apache-2.0
/** Checks of configuration files. The log reports text that the gateway cannot use, with file and line. */
package org.dmabuf.heap.gateway.configuration;
