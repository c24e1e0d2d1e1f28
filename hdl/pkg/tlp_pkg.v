`default_nettype none
// TLP constants and header functions (PCI Express Base, transaction layer; non-FLIT mode).
// A header is 128 bits: DW0 in [127:96] ... DW3 in [31:0]; a 3 DW header has DW3 = 0 (docs/interfaces.md section 1).
package tlp_pkg;

  // Fmt[2:0], Type[4:0] as one byte: DW0[31:24].
  localparam [7:0] MRD32 = 8'h00;
  localparam [7:0] MRD64 = 8'h20;
  localparam [7:0] MRDLK32 = 8'h01;
  localparam [7:0] MRDLK64 = 8'h21;
  localparam [7:0] MWR32 = 8'h40;
  localparam [7:0] MWR64 = 8'h60;
  localparam [7:0] IORD = 8'h02;
  localparam [7:0] IOWR = 8'h42;
  localparam [7:0] CFGRD0 = 8'h04;
  localparam [7:0] CFGWR0 = 8'h44;
  localparam [7:0] CFGRD1 = 8'h05;
  localparam [7:0] CFGWR1 = 8'h45;
  localparam [7:0] CPL = 8'h0A;
  localparam [7:0] CPLD = 8'h4A;
  localparam [7:0] CPLLK = 8'h0B;
  localparam [7:0] CPLDLK = 8'h4B;

  // Completion status, DW1[15:13].
  localparam [2:0] STATUS_SC = 3'd0;
  localparam [2:0] STATUS_UR = 3'd1;
  localparam [2:0] STATUS_CRS = 3'd2;
  localparam [2:0] STATUS_CA = 3'd4;

  // Address type, DW0[11:10].
  localparam [1:0] AT_UNTRANSLATED = 2'd0;
  localparam [1:0] AT_TRANSLATION_REQUEST = 2'd1;
  localparam [1:0] AT_TRANSLATED = 2'd2;

  // Classes of flow control and ordering.
  localparam [1:0] CLASS_POSTED = 2'd0;
  localparam [1:0] CLASS_NONPOSTED = 2'd1;
  localparam [1:0] CLASS_COMPLETION = 2'd2;

  // Class of a TLP by DW0[31:24]: writes and messages are posted; Cpl, CplD, CplLk, CplDLk completions; the rest non-posted.
  function automatic [1:0] tlp_class;
    input [7:0] fmt_type;
    begin
      if (fmt_type[4:1] == 4'b0101) tlp_class = CLASS_COMPLETION;
      else if (fmt_type[4:3] == 2'b10) tlp_class = CLASS_POSTED;
      else if (fmt_type[6] && fmt_type[4:0] == 5'd0) tlp_class = CLASS_POSTED;
      else tlp_class = CLASS_NONPOSTED;
    end
  endfunction

  // 1 when the TLP carries payload (Fmt[1]).
  function automatic has_payload;
    input [7:0] fmt_type;
    begin
      has_payload = fmt_type[6];
    end
  endfunction

  // Payload of a TLP in DWs, 0..1024.
  function automatic [10:0] payload_dwords;
    input [127:0] header;
    begin
      if (!header[126]) payload_dwords = 11'd0;
      else payload_dwords = {header[105:96] == 10'd0, header[105:96]};
    end
  endfunction

  // Data credits of a TLP: 4 DWs each, rounded up.
  function automatic [8:0] data_credits;
    input [127:0] header;
    reg [10:0] rounded;
    begin
      rounded = payload_dwords(header) + 11'd3;
      data_credits = rounded[10:2];
    end
  endfunction

  // Address of a memory request: DW aligned, 64 bits (3 DW headers carry the low half only).
  function automatic [63:0] request_address;
    input [127:0] header;
    begin
      if (header[125]) request_address = {header[63:2], 2'b00};
      else request_address = {32'd0, header[63:34], 2'b00};
    end
  endfunction

  // 1 for memory reads, writes and atomics (routed by address, subject to translation).
  function automatic is_memory_request;
    input [7:0] fmt_type;
    begin
      is_memory_request = fmt_type[7] == 1'b0 &&
          (fmt_type[4:0] == 5'd0 || fmt_type[4:0] == 5'd1 || fmt_type[4:2] == 3'b011 || fmt_type[4:0] == 5'b11011);
    end
  endfunction

  // Disabled bytes before the first enabled one of a read (PCIe Base, completion rules); no byte enabled counts as one byte.
  function automatic [1:0] read_lead;
    input [127:0] header;
    begin
      if (header[64] || header[67:64] == 4'd0) read_lead = 2'd0;
      else if (header[65]) read_lead = 2'd1;
      else if (header[66]) read_lead = 2'd2;
      else read_lead = 2'd3;
    end
  endfunction

  // Byte Count of the first completion of a non-posted request, modulo 4096.
  function automatic [11:0] completion_byte_count;
    input [127:0] header;
    reg [3:1] end_enables;
    reg [1:0] trail;
    begin
      end_enables = header[105:96] == 10'd1 ? header[67:65] : header[71:69];
      if (end_enables[3]) trail = 2'd0;
      else if (end_enables[2]) trail = 2'd1;
      else if (end_enables[1]) trail = 2'd2;
      else trail = 2'd3;
      if (!header[126] && (header[124:120] == 5'b00000 || header[124:120] == 5'b00001))
        completion_byte_count = {header[105:96], 2'b00} - {10'd0, read_lead(header)} - {10'd0, trail};
      else if (header[124:122] == 3'b011)
        completion_byte_count = header[121] ? {1'b0, header[105:96], 1'b0} : {header[105:96], 2'b00};
      else completion_byte_count = 12'd4;
    end
  endfunction

  // Lower Address of the first completion of a non-posted request: 0 except for reads.
  function automatic [6:0] completion_lower_address;
    input [127:0] header;
    begin
      if (!header[126] && (header[124:120] == 5'b00000 || header[124:120] == 5'b00001))
        completion_lower_address = {header[125] ? header[6:2] : header[38:34], read_lead(header)};
      else completion_lower_address = 7'd0;
    end
  endfunction

  // Byte-reversed DW: bodies of ATS completions and messages are laid out like headers, most significant byte first.
  function automatic [31:0] reversed_dword;
    input [31:0] dword;
    begin
      reversed_dword = {dword[7:0], dword[15:8], dword[23:16], dword[31:24]};
    end
  endfunction

endpackage
`default_nettype wire
