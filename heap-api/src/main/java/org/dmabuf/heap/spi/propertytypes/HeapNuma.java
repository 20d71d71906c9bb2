// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Memory nodes from which all pages come. The component property {@code heap.numa}, see
 * {@link org.dmabuf.heap.HeapProperties#NUMA}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapNuma {
    /** {@return the value of {@code heap.numa}} */
    int[] value();
}
