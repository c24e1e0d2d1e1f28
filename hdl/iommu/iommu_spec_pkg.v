`default_nettype none
// Encodings of the RISC-V IOMMU specification that several parts of the core use: capability bits (Registers:
// capabilities), causes (Fault/Event-Queue), modes of the in-memory structures (Data Structures), and pure functions on them.
package iommu_spec_pkg;

  // Positions in the `capabilities` register.
  localparam int CAP_SV39 = 9;
  localparam int CAP_SV48 = 10;
  localparam int CAP_SV57 = 11;
  localparam int CAP_SVRSW60T59B = 14;
  localparam int CAP_SVPBMT = 15;
  localparam int CAP_SV39X4 = 17;
  localparam int CAP_SV48X4 = 18;
  localparam int CAP_SV57X4 = 19;
  localparam int CAP_MSI_FLAT = 22;
  localparam int CAP_MSI_MRIF = 23;
  localparam int CAP_AMO_HWAD = 24;
  localparam int CAP_ATS = 25;
  localparam int CAP_T2GPA = 26;
  localparam int CAP_END = 27;
  localparam int CAP_HPM = 30;
  localparam int CAP_DBG = 31;
  localparam int CAP_PD8 = 38;
  localparam int CAP_PD17 = 39;
  localparam int CAP_PD20 = 40;
  localparam int CAP_QOSID = 41;
  localparam int CAP_NL = 42;
  localparam int CAP_S = 43;
  // Custom bit: with END = 0 the fixed value of fctl.BE (1 = every structure is big-endian).
  localparam int CAP_FIXED_BE = 56;

  // Interrupt generation support, capabilities[29:28].
  localparam [1:0] IGS_MSI = 2'd0;
  localparam [1:0] IGS_WSI = 2'd1;
  localparam [1:0] IGS_BOTH = 2'd2;

  // ddtp.iommu_mode.
  localparam [3:0] MODE_OFF = 4'd0;
  localparam [3:0] MODE_BARE = 4'd1;
  localparam [3:0] MODE_1LVL = 4'd2;
  localparam [3:0] MODE_3LVL = 4'd4;

  // Address type of a request.
  localparam [1:0] AT_UNTRANSLATED = 2'd0;
  localparam [1:0] AT_TRANSLATION_REQUEST = 2'd1;
  localparam [1:0] AT_TRANSLATED = 2'd2;
  // Inside the core only: a PCIe message (request_t).
  localparam [1:0] AT_MESSAGE = 2'd3;

  // Message code of a page request, which its fault records carry in iotval.
  localparam [7:0] MESSAGE_PAGE_REQUEST = 8'h04;

  // Causes.
  localparam [8:0] CAUSE_INSTRUCTION_ACCESS = 9'd1;
  localparam [8:0] CAUSE_READ_ACCESS = 9'd5;
  localparam [8:0] CAUSE_WRITE_ACCESS = 9'd7;
  localparam [8:0] CAUSE_INSTRUCTION_PAGE = 9'd12;
  localparam [8:0] CAUSE_READ_PAGE = 9'd13;
  localparam [8:0] CAUSE_WRITE_PAGE = 9'd15;
  localparam [8:0] CAUSE_INSTRUCTION_GUEST_PAGE = 9'd20;
  localparam [8:0] CAUSE_READ_GUEST_PAGE = 9'd21;
  localparam [8:0] CAUSE_WRITE_GUEST_PAGE = 9'd23;
  localparam [8:0] CAUSE_ALL_INBOUND_DISALLOWED = 9'd256;
  localparam [8:0] CAUSE_DDT_ACCESS = 9'd257;
  localparam [8:0] CAUSE_DDT_NOT_VALID = 9'd258;
  localparam [8:0] CAUSE_DDT_MISCONFIGURED = 9'd259;
  localparam [8:0] CAUSE_TRANSACTION_DISALLOWED = 9'd260;
  localparam [8:0] CAUSE_MSI_PTE_ACCESS = 9'd261;
  localparam [8:0] CAUSE_MSI_PTE_NOT_VALID = 9'd262;
  localparam [8:0] CAUSE_MSI_PTE_MISCONFIGURED = 9'd263;
  localparam [8:0] CAUSE_MRIF_ACCESS = 9'd264;
  localparam [8:0] CAUSE_PDT_ACCESS = 9'd265;
  localparam [8:0] CAUSE_PDT_NOT_VALID = 9'd266;
  localparam [8:0] CAUSE_PDT_MISCONFIGURED = 9'd267;
  localparam [8:0] CAUSE_DDT_CORRUPTION = 9'd268;
  localparam [8:0] CAUSE_PDT_CORRUPTION = 9'd269;
  localparam [8:0] CAUSE_MSI_PT_CORRUPTION = 9'd270;
  localparam [8:0] CAUSE_MRIF_CORRUPTION = 9'd271;
  localparam [8:0] CAUSE_INTERNAL_ERROR = 9'd272;
  localparam [8:0] CAUSE_MSI_WRITE_ACCESS = 9'd273;
  localparam [8:0] CAUSE_PT_CORRUPTION = 9'd274;

  // Events of the performance counters (iohpmevt.eventID).
  localparam [3:0] EVENT_NONE = 4'd0;
  localparam [3:0] EVENT_UNTRANSLATED = 4'd1;
  localparam [3:0] EVENT_TRANSLATED = 4'd2;
  localparam [3:0] EVENT_ATS_REQUEST = 4'd3;
  localparam [3:0] EVENT_TLB_MISS = 4'd4;
  localparam [3:0] EVENT_DIRECTORY_WALK = 4'd5;
  localparam [3:0] EVENT_PROCESS_DIRECTORY_WALK = 4'd6;
  localparam [3:0] EVENT_FIRST_STAGE_WALK = 4'd7;
  localparam [3:0] EVENT_SECOND_STAGE_WALK = 4'd8;

  // Page size codes of this core, ordered by size. NONE is the size of a Bare stage.
  localparam [2:0] PAGE_4K = 3'd0;
  localparam [2:0] PAGE_64K = 3'd1;
  localparam [2:0] PAGE_2M = 3'd2;
  localparam [2:0] PAGE_1G = 3'd3;
  localparam [2:0] PAGE_512G = 3'd4;
  localparam [2:0] PAGE_256T = 3'd5;
  localparam [2:0] PAGE_NONE = 3'd7;

  // States of a walk (iommu_walk_event.v): the decision it takes next, or the access it waits for. In those of page tables bit 3 is 1,
  // bit 2 tells the stage, bit 0 an update.
  localparam [3:0] WALK_START = 4'b0000;
  localparam [3:0] WALK_CONTEXT = 4'b0001;
  localparam [3:0] WALK_GUEST = 4'b0010;
  localparam [3:0] WALK_MSI_INDEX = 4'b0011;
  localparam [3:0] WALK_DONE = 4'b0111;
  localparam [3:0] WALK_DIRECTORY = 4'b0100;
  localparam [3:0] WALK_PROCESS = 4'b0101;
  localparam [3:0] WALK_MSI = 4'b0110;
  localparam [3:0] WALK_FIRST = 4'b1000;
  localparam [3:0] WALK_FIRST_UPDATE = 4'b1001;
  localparam [3:0] WALK_SECOND = 4'b1100;
  localparam [3:0] WALK_SECOND_UPDATE = 4'b1101;

  // What a second-stage translation is for.
  localparam [1:0] PURPOSE_REQUEST = 2'd0;
  localparam [1:0] PURPOSE_FIRST = 2'd1;
  localparam [1:0] PURPOSE_PROCESS = 2'd2;

  // Widths of the records in iommu_records.vh.
  localparam int REQUEST_W = 116;
  localparam int CONTEXT_W = 318;
  localparam int WALK_W = 258;
  // Its last fields, from final_page on: of a result only.
  localparam int OUTCOME_W = 28;
  localparam int FINDING_W = 144;
  localparam int SECOND_LEAF_W = 53;
  localparam int FAULT_W = 187;
  localparam int EVENT_SOURCE_W = 83;
  localparam int TRANSLATION_W = 94;
  localparam int INVALIDATION_W = 193;
  localparam int RESPONSE_W = 158;
  localparam int MRIF_W = 279;
  localparam int PAGE_REQUEST_W = 112;
  localparam int MESSAGE_W = 116;

  // Bits of a page number beyond the physical address size, which is 14 bits or more, as a mask.
  function automatic [43:0] page_bits_beyond;
    input [63:0] capabilities;
    begin
      for (int i = 0; i < 44; i++) page_bits_beyond[i] = 32'(capabilities[37:32]) <= 32'(i + 12);
    end
  endfunction

  // Bits that the page number of a guest physical address has (MGPAW - 12), as a mask, by the effective capabilities.
  function automatic [51:0] guest_page_bits;
    input [63:0] capabilities;
    begin
      for (int i = 0; i < 52; i++) guest_page_bits[i] = 32'(capabilities[37:32]) > 32'(i + 12);
      if (capabilities[CAP_SV57X4]) guest_page_bits = {5'd0, {47{1'b1}}};
      else if (capabilities[CAP_SV48X4]) guest_page_bits = {14'd0, {38{1'b1}}};
      else if (capabilities[CAP_SV39X4]) guest_page_bits = {23'd0, {29{1'b1}}};
    end
  endfunction

  // Fields of a page number, as sizes of pages cut it: bits 3:0, 8:4, 17:9, 26:18, 35:27, 51:36. The fields that are offset within a
  // page of size `code`.
  function automatic [5:0] page_fields;
    input [2:0] code;
    begin
      case (code)
        PAGE_4K: page_fields = 6'b000000;
        PAGE_64K: page_fields = 6'b000001;
        PAGE_2M: page_fields = 6'b000011;
        PAGE_1G: page_fields = 6'b000111;
        PAGE_512G: page_fields = 6'b001111;
        PAGE_256T: page_fields = 6'b011111;
        default: page_fields = 6'b111111;
      endcase
    end
  endfunction

  // Bits of those fields.
  function automatic [51:0] field_bits;
    input [5:0] fields;
    begin
      field_bits = {{16{fields[5]}}, {9{fields[4]}}, {9{fields[3]}}, {9{fields[2]}}, {5{fields[1]}}, {4{fields[0]}}};
    end
  endfunction

  // Page numbers compared in parts that fit two levels of logic: all 1 where they agree in every field that is not among `fields`.
  function automatic [10:0] same_page_parts;
    input [51:0] page;
    input [51:0] other;
    input [5:0] fields;
    begin
      same_page_parts = {fields[5] || page[51:46] == other[51:46], fields[5] || page[45:41] == other[45:41],
                         fields[5] || page[40:36] == other[40:36],
                         fields[4] || page[35:31] == other[35:31], fields[4] || page[30:27] == other[30:27],
                         fields[3] || page[26:22] == other[26:22], fields[3] || page[21:18] == other[21:18],
                         fields[2] || page[17:13] == other[17:13], fields[2] || page[12:9] == other[12:9],
                         fields[1] || page[8:4] == other[8:4], fields[0] || page[3:0] == other[3:0]};
    end
  endfunction

  // Requesters {DID, PV, PID, priv} compared likewise.
  function automatic [5:0] same_requester_parts;
    input [45:0] requester;
    input [45:0] other;
    begin
      same_requester_parts = {requester[45:38] == other[45:38], requester[37:30] == other[37:30], requester[29:22] == other[29:22],
                              requester[21:14] == other[21:14], requester[13:7] == other[13:7], requester[6:0] == other[6:0]};
    end
  endfunction

  // Fields that a range of pages reaches into.
  function automatic [5:0] range_fields;
    input [51:0] range;
    begin
      range_fields = {range[51:36] != '0, range[35:27] != '0, range[26:18] != '0, range[17:9] != '0, range[8:4] != '0, range[3:0] != '0};
    end
  endfunction

  // A key of the walker's caches in 12 bits: equal keys have equal ones, and of others one in 4096.
  localparam int HASH_W = 12;

  function automatic [HASH_W-1:0] hash;
    input [95:0] key;
    begin
      hash = '0;
      for (int i = 0; i < 96; i += HASH_W) hash = hash ^ key[i +: HASH_W];
    end
  endfunction

  // Hash of a requester {DID, PV, PID, priv} and a page number.
  function automatic [HASH_W-1:0] request_hash;
    input [45:0] requester;
    input [51:0] page;
    begin
      request_hash = hash({requester[45:22], requester[20:1], page}) ^ HASH_W'({requester[21], requester[0]});
    end
  endfunction

  // Bits of a page number that are offset within a page of size `code`.
  function automatic [51:0] page_number_mask;
    input [2:0] code;
    begin
      page_number_mask = field_bits(page_fields(code));
    end
  endfunction

  // log2 of the bytes of a page of size `code`; a Bare stage counts as 4 KiB.
  function automatic [5:0] page_shift;
    input [2:0] code;
    begin
      case (code)
        PAGE_64K: page_shift = 6'd16;
        PAGE_2M: page_shift = 6'd21;
        PAGE_1G: page_shift = 6'd30;
        PAGE_512G: page_shift = 6'd39;
        PAGE_256T: page_shift = 6'd48;
        default: page_shift = 6'd12;
      endcase
    end
  endfunction

  // Byte-reversed dword.
  function automatic [63:0] reversed;
    input [63:0] dword;
    begin
      reversed = {dword[7:0], dword[15:8], dword[23:16], dword[31:24], dword[39:32], dword[47:40], dword[55:48], dword[63:56]};
    end
  endfunction

  // 1 when MODE `mode` of a page table (8, 9, 10 = 3, 4, 5 levels; 0 Bare) is among `supported` = {57, 48, 39}.
  function automatic page_table_mode_legal;
    input [3:0] mode;
    input [2:0] supported;
    begin
      case (mode)
        4'd0: page_table_mode_legal = 1'b1;
        4'd8: page_table_mode_legal = supported[0];
        4'd9: page_table_mode_legal = supported[1];
        4'd10: page_table_mode_legal = supported[2];
        default: page_table_mode_legal = 1'b0;
      endcase
    end
  endfunction

  // 1 when a fault of `cause` is recorded although DC.tc.DTF = 1 (Fault/Event-Queue).
  function automatic reported_despite_dtf;
    input [8:0] cause;
    begin
      case (cause)
        CAUSE_ALL_INBOUND_DISALLOWED, CAUSE_DDT_ACCESS, CAUSE_DDT_NOT_VALID, CAUSE_DDT_MISCONFIGURED, CAUSE_DDT_CORRUPTION,
        CAUSE_INTERNAL_ERROR, CAUSE_MSI_WRITE_ACCESS: reported_despite_dtf = 1'b1;
        default: reported_despite_dtf = 1'b0;
      endcase
    end
  endfunction

  // 1 when `cause` ends an ATS translation request in Success without permissions (PCIe ATS translation request handling).
  function automatic untranslatable;
    input [8:0] cause;
    begin
      case (cause)
        CAUSE_INSTRUCTION_PAGE, CAUSE_READ_PAGE, CAUSE_WRITE_PAGE, CAUSE_INSTRUCTION_GUEST_PAGE, CAUSE_READ_GUEST_PAGE,
        CAUSE_WRITE_GUEST_PAGE, CAUSE_MSI_PTE_NOT_VALID, CAUSE_PDT_NOT_VALID: untranslatable = 1'b1;
        default: untranslatable = 1'b0;
      endcase
    end
  endfunction

  // 1 when `cause` ends an ATS translation request in UR (else CA).
  function automatic unsupported_request;
    input [8:0] cause;
    begin
      unsupported_request = cause >= CAUSE_ALL_INBOUND_DISALLOWED && cause <= CAUSE_TRANSACTION_DISALLOWED;
    end
  endfunction

endpackage
`default_nettype wire
