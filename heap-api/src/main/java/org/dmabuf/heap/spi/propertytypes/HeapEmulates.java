// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.spi.propertytypes;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.osgi.service.component.annotations.ComponentPropertyType;

/**
 * Properties that the heap only emulates. The component property {@code heap.emulates}, see
 * {@link org.dmabuf.heap.HeapProperties#EMULATES}.
 */
@ComponentPropertyType
@Retention(RetentionPolicy.CLASS)
@Target(ElementType.TYPE)
public @interface HeapEmulates {
    /** {@return the value of {@code heap.emulates}} */
    String[] value();
}
